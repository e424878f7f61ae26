#pragma once
/// \file
/// Which image belongs to which label map: by name in folders, or by a list.

#include "moecnn/data/segmentation_set.hpp"

#include <map>

namespace moecnn::data {

/// Files of one kind: what comes before `suffix` in their names is their key.
struct FileKind {
  std::filesystem::path dir;
  std::string suffix;               ///< "_gtFine_labelIds" for "aachen_000004_000019_gtFine_labelIds.png"
  bool in_folders = false;          ///< one folder deeper, which becomes part of the key: "aachen/aachen_000004_000019"
  const char* extension = nullptr;  ///< ".png" alone; nullptr: any of a picture
};

namespace detail {

inline bool is_folder(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored);
}
inline bool is_file(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored);
}

/// The files in a folder, by name. Hidden files are left out: archives of a Mac are full of "._name".
inline std::vector<std::filesystem::path> folder_entries(const std::filesystem::path& dir) {
  std::vector<std::filesystem::path> all;
  std::error_code error;
  std::filesystem::directory_iterator at(dir, error), end;
  for (; !error && at != end; at.increment(error))
    if (!at->path().filename().string().starts_with('.')) all.push_back(at->path());
  check(!error, "cannot read the folder {}: {}", dir.string(), error.message());
  return all;
}

inline bool has_extension(const std::filesystem::path& path, const char* wanted) {
  std::string extension = path.extension().string();
  for (char& c : extension)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  if (wanted) return extension == wanted;
  return extension == ".png" || extension == ".jpg" || extension == ".jpeg";
}

}  // namespace detail

/// All files of a kind, by key.
inline std::map<std::string, std::filesystem::path> find_files(const FileKind& kind) {
  std::map<std::string, std::filesystem::path> found;
  const auto add = [&](const std::string& folder, const std::filesystem::path& file) {
    const std::string stem = file.stem().string();
    if (!detail::has_extension(file, kind.extension) || !stem.ends_with(kind.suffix) || !detail::is_file(file)) return;
    const auto [at, is_new] = found.emplace(folder + stem.substr(0, stem.size() - kind.suffix.size()), file);
    check(is_new, "{} and {} are the same picture twice; remove one", at->second.string(), file.string());
  };
  for (const auto& entry : detail::folder_entries(kind.dir)) {
    if (!kind.in_folders)
      add("", entry);
    else if (detail::is_folder(entry))
      for (const auto& file : detail::folder_entries(entry)) add(entry.filename().string() + "/", file);
  }
  return found;
}

/// Pairs by key; files without a partner go to `set.unpaired`.
inline void pair_files(SegmentationSet& set, const FileKind& images, const FileKind& labels) {
  const auto pictures = find_files(images), maps = find_files(labels);
  for (const auto& [key, file] : pictures)
    if (const auto map = maps.find(key); map != maps.end())
      set.pairs.push_back({file, map->second, key});
    else
      set.unpaired.push_back({file, labels.dir / (key + labels.suffix + ".png")});
  const std::string like = pictures.empty() ? ".png" : pictures.begin()->second.extension().string();
  for (const auto& [key, file] : maps)
    if (!pictures.contains(key)) set.unpaired.push_back({file, images.dir / (key + images.suffix + like)});
}

/// Pairs from a text file: a line names an image and a label map, separated by blanks, relative to `dir`. Names from
/// another machine ("/there/CamVid/train/a.png") are looked up by their last folder and name.
inline void pair_by_list(SegmentationSet& set, const std::filesystem::path& list, const std::filesystem::path& dir) {
  std::ifstream in(list);
  check(in.is_open(), "cannot open {}; check its permissions", list.string());
  const auto find = [&](const std::string& name) {
    const std::filesystem::path path(name);
    return path.is_absolute() && !detail::is_file(path) ? dir / path.parent_path().filename() / path.filename()
                                                        : dir / path;
  };
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    line.erase(line.find_last_not_of(" \t\r") + 1);
    const std::size_t from = line.find_first_not_of(" \t");
    if (from == line.npos) continue;
    const std::size_t gap = line.find_first_of(" \t", from), second = line.find_first_not_of(" \t", gap);
    check(gap != line.npos && second != line.npos && line.find_first_of(" \t", second) == line.npos,
          "{}, line {}: expected the names of an image and of a label map, separated by a blank", list.string(),
          number);
    const auto image = find(line.substr(from, gap - from)), labels = find(line.substr(second));
    const bool has_image = detail::is_file(image), has_labels = detail::is_file(labels);
    if (has_image && has_labels)
      set.pairs.push_back({image, labels, image.stem().string()});
    else
      set.unpaired.push_back({has_image ? image : has_labels ? labels : "", has_image ? labels : image});
  }
}

/// Throws unless something was paired; `layout` says where files are expected.
inline void check_paired(const SegmentationSet& set, const std::filesystem::path& dir, const char* layout) {
  check(!set.pairs.empty(),
        "{} needs pairs of an image and a label map in {}, but there is none ({} files without a partner). Expected is "
        "{}",
        set.name, dir.string(), set.unpaired.size(), layout);
}

}  // namespace moecnn::data
