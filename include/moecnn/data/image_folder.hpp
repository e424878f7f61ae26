#pragma once
/// \file
/// Pictures in folders, one folder per class: torchvision's convention.

#include "moecnn/data/decode.hpp"
#include "moecnn/data/split_set.hpp"

#include <algorithm>
#include <cctype>
#include <memory>
#include <string>

namespace moecnn::data {

struct ImageFile {
  std::filesystem::path path;
  int label = 0;
};

/// A description of such a folder; the pictures stay in their files.
struct ImageFolder {
  std::string name = {};  ///< the folder, for messages
  std::vector<std::string> class_names = {};
  std::vector<ImageFile> files = {};  ///< class by class, in the order of their paths
  long long largest = most_pixels;    ///< files of more pixels are refused

  int size() const { return static_cast<int>(files.size()); }
  int classes() const { return static_cast<int>(class_names.size()); }
};

namespace detail {

/// By the name alone, as torchvision does; a file that is something else is found out when it is read.
inline bool is_picture(const std::filesystem::path& path) {
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(), [](unsigned char c) { return std::tolower(c); });
  return ending == ".png" || ending == ".jpg" || ending == ".jpeg";
}

/// Pictures below `dir`, in any depth, sorted by their paths.
inline std::vector<std::filesystem::path> pictures_below(const std::filesystem::path& dir) {
  namespace fs = std::filesystem;
  constexpr int deepest = 32;  // a link to a folder above would lead down for ever
  std::vector<fs::path> found;
  std::error_code error;
  fs::recursive_directory_iterator at(dir, fs::directory_options::follow_directory_symlink, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    check(at.depth() <= deepest, "{} lies more than {} folders deep; is it a link to a folder above?",
          at->path().string(), deepest);
    std::error_code ignored;
    if (is_picture(at->path()) && !at->is_directory(ignored)) found.push_back(at->path());
  }
  check(!error, "cannot list {}: {}; check its permissions", dir.string(), error.message());
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace detail

/// The PNG and JPEG files of a folder that holds one folder per class; classes are numbered in the order of their names.
/// Folders whose names begin with a dot are passed over, and so are other files. Throws Error where there is no such
/// folder, and for a class without pictures.
inline ImageFolder image_folder(const std::filesystem::path& dir) {
  namespace fs = std::filesystem;
  std::error_code error;
  const auto kind = fs::status(dir, error).type();
  check(kind != fs::file_type::not_found, "{} is not there; give a folder that holds one folder of pictures per class",
        dir.string());
  check(kind == fs::file_type::directory, "{} is no folder; give the one that holds one folder of pictures per class",
        dir.string());
  std::vector<fs::path> classes;
  fs::directory_iterator at(dir, error);
  for (; !error && at != fs::directory_iterator(); at.increment(error))
    if (std::error_code ignored; at->is_directory(ignored) && at->path().filename().string()[0] != '.')
      classes.push_back(at->path());
  check(!error, "cannot list {}: {}; check its permissions", dir.string(), error.message());
  check(!classes.empty(), "{} holds no folders; expected one per class, with the pictures of that class", dir.string());
  std::sort(classes.begin(), classes.end());
  ImageFolder all{.name = dir.string()};
  for (const fs::path& c : classes) {
    const auto pictures = detail::pictures_below(c);
    check(!pictures.empty(), "{} holds no PNG or JPEG file; remove the folder, or put pictures of its class into it",
          c.string());
    for (const fs::path& p : pictures) all.files.push_back({p, all.classes()});
    all.class_names.push_back(c.filename().string());
  }
  return all;
}

/// Throws Error unless both have the same classes: labels are numbers, which would mean different things.
inline void check_same_classes(const ImageFolder& a, const ImageFolder& b) {
  for (int c = 0; c < std::max(a.classes(), b.classes()); ++c) {
    const auto i = static_cast<std::size_t>(c);
    const std::string in_a = c < a.classes() ? a.class_names[i] : "none",
                      in_b = c < b.classes() ? b.class_names[i] : "none";
    check(in_a == in_b, "{} and {} have different classes; class {} is {} in the one and {} in the other", a.name,
          b.name, c, in_a, in_b);
  }
}

struct FolderParts {
  ImageFolder train, validation;
};

/// Cuts `share` of every class off, as split_off() does with images in memory.
inline FolderParts split_off(const ImageFolder& set, double share, std::uint64_t seed = 0) {
  std::vector<int> labels;
  for (const ImageFile& f : set.files) labels.push_back(f.label);
  const auto places = detail::split_places(labels, set.classes(), set.name, share, seed);
  const auto part = [&](const std::vector<int>& of, const char* what) {
    ImageFolder p{.name = set.name + what, .class_names = set.class_names, .largest = set.largest};
    for (const int i : of) p.files.push_back(set.files[static_cast<std::size_t>(i)]);
    return p;
  };
  return {part(places.train, " without validation"), part(places.validation, " for validation")};
}

}  // namespace moecnn::data
