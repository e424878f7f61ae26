#pragma once
/// \file
/// CIFAR-10 and CIFAR-100 in their binary versions (A. Krizhevsky, "Learning multiple layers of features from tiny
/// images", 2009; https://www.cs.toronto.edu/~kriz/cifar.html). A record is the label, for CIFAR-100 the coarse and
/// then the fine label, followed by 1024 red, 1024 green and 1024 blue bytes of a 32 × 32 image.

#include "moecnn/data/image_set.hpp"

#include <filesystem>
#include <fstream>
#include <limits>

namespace moecnn::data {

namespace detail {

inline constexpr std::size_t cifar_pixels = 3 * 32 * 32;

/// How one of the two data sets is stored.
struct CifarLayout {
  const char* title;
  int label_bytes;  ///< 1: class; 2: family, class
  int classes, families;
  const char *class_file, *family_file;
  const char* archive;  ///< what to download when files are missing
};

inline constexpr CifarLayout cifar10_layout{"CIFAR-10", 1, 10, 0, "batches.meta.txt", "", "cifar-10-binary.tar.gz"};
inline constexpr CifarLayout cifar100_layout{
    "CIFAR-100", 2, 100, 20, "fine_label_names.txt", "coarse_label_names.txt", "cifar-100-binary.tar.gz"};

/// One name a line, empty lines at the end ignored. Without the file the names are "class 0", "class 1", …
inline std::vector<std::string> cifar_names(const std::filesystem::path& path, int count, const char* fallback) {
  std::vector<std::string> names;
  std::ifstream in(path);
  if (!in) {
    for (int i = 0; i < count; ++i) names.push_back(fallback + (" " + std::to_string(i)));
    return names;
  }
  for (std::string line; std::getline(in, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    names.push_back(line);
  }
  while (!names.empty() && names.back().empty()) names.pop_back();
  check(names.size() == static_cast<std::size_t>(count),
        "{} has {} names, expected {}, one a line; correct it or remove it (it is optional)", path.string(),
        names.size(), count);
  return names;
}

/// Appends all records of one file to `set`.
inline void read_cifar_file(const std::filesystem::path& path, const CifarLayout& layout, ImageSet& set) {
  const std::string file = path.string();
  const std::size_t record = layout.label_bytes + cifar_pixels;
  std::error_code error;
  const std::uintmax_t bytes = std::filesystem::file_size(path, error);
  check(!error, "cannot examine {}: {}", file, error.message());
  const std::size_t other = record == cifar_pixels + 1 ? record + 1 : record - 1;
  check(bytes > 0 && bytes % record == 0,
        "{} has {} bytes, which is not a whole number of {}-byte records of {} ({} records and {} bytes); {}", file,
        bytes, record, layout.title, bytes / record, bytes % record,
        bytes > 0 && bytes % other == 0 ? "it looks like the other CIFAR"
                                        : "it is empty, cut short or packed: unpack it again");
  const std::uintmax_t count = bytes / record;
  check(count <= static_cast<std::uintmax_t>(std::numeric_limits<int>::max() - set.n), "{} has too many records: {}",
        file, count);

  std::ifstream in(path, std::ios::binary);
  check(in.is_open(), "cannot open {}; check its permissions", file);
  const std::size_t first = set.n;
  set.n += static_cast<int>(count);
  set.labels.resize(set.n);
  if (layout.families) set.families.resize(set.n);
  set.pixels.resize(set.n * cifar_pixels);
  for (std::size_t i = 0; i < count; ++i) {
    unsigned char label[2];
    in.read(reinterpret_cast<char*>(label), layout.label_bytes);
    in.read(reinterpret_cast<char*>(set.pixels.data() + (first + i) * cifar_pixels), cifar_pixels);
    check(in.good(), "{}: cannot read record {} of {}; the file changed or the disk fails", file, i, count);
    const int cls = label[layout.label_bytes - 1];
    check(cls < layout.classes, "{}: record {} has class label {}, {} has 0 to {}; the file is damaged or not {}", file,
          i, cls, layout.title, layout.classes - 1, layout.title);
    set.labels[first + i] = cls;
    if (layout.families == 0) continue;
    check(label[0] < layout.families,
          "{}: record {} has coarse label {}, {} has 0 to {}; the file is damaged or not {}", file, i, label[0],
          layout.title, layout.families - 1, layout.title);
    set.families[first + i] = label[0];
  }
}

inline ImageSet load_cifar(const std::filesystem::path& dir, Split split, const CifarLayout& layout,
                           const std::vector<std::string>& files) {
  check(split != Split::val, "{} has the parts train and test, but val was asked for", layout.title);
  std::string missing, all;
  for (const std::string& f : files) {
    all += (all.empty() ? "" : ", ") + f;
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(dir / f, ignored)) missing += (missing.empty() ? "" : ", ") + f;
  }
  check(missing.empty(),
        "{} of {} needs {} in {}, but {} is not there. Unpack {} (the binary version) from "
        "https://www.cs.toronto.edu/~kriz/cifar.html and give the folder that holds the .bin files",
        name_of(split), layout.title, all, dir.string(), missing, layout.archive);
  ImageSet set;
  set.h = set.w = 32;
  set.name = std::string(layout.title) + " " + name_of(split);
  set.class_names = cifar_names(dir / layout.class_file, layout.classes, "class");
  if (layout.families) set.family_names = cifar_names(dir / layout.family_file, layout.families, "family");
  for (const std::string& f : files) read_cifar_file(dir / f, layout, set);
  return set;
}

}  // namespace detail

/// Reads `train.bin` or `test.bin` of CIFAR-100 from `dir`, and the optional `fine_label_names.txt` and
/// `coarse_label_names.txt`. Any number of records is accepted. Throws Error on a missing, cut or damaged file.
inline ImageSet load_cifar100(const std::filesystem::path& dir, Split split) {
  return detail::load_cifar(dir, split, detail::cifar100_layout, {split == Split::train ? "train.bin" : "test.bin"});
}

/// Reads `data_batch_1.bin` … `data_batch_5.bin` or `test_batch.bin` of CIFAR-10 and the optional `batches.meta.txt`.
inline ImageSet load_cifar10(const std::filesystem::path& dir, Split split) {
  std::vector<std::string> files{"test_batch.bin"};
  if (split == Split::train) {
    files.clear();
    for (int i = 1; i <= 5; ++i) files.push_back("data_batch_" + std::to_string(i) + ".bin");
  }
  return detail::load_cifar(dir, split, detail::cifar10_layout, files);
}

}  // namespace moecnn::data
