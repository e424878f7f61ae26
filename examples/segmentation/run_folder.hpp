#pragma once
/// Files that the program's commands write and read.

#include "options.hpp"

#include <moecnn/io/atomic_file.hpp>
#include <moecnn/io/input_file.hpp>
#include <moecnn/io/json.hpp>

namespace segmentation {

inline void make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  check(!error, "cannot make the folder {}: {}; choose another one", folder.string(), error.message());
}

inline void write_text(const std::filesystem::path& path, const std::string& text) {
  if (path.has_parent_path()) make_folder(path.parent_path());
  io::AtomicFile file(path);
  file.write(text);
  file.commit();
}

inline io::Json read_json(const std::filesystem::path& path) {
  constexpr std::uint64_t most = 64u << 20;
  const io::InputFile file(path);
  check(file.size() <= most, "{} has {} bytes, expected at most {}; it was not written by this program", path.string(),
        file.size(), most);
  std::string text(static_cast<std::size_t>(file.size()), '\0');
  file.read(0, text.data(), text.size(), "its text");
  return io::Json::parse(text, path.string());
}

}  // namespace segmentation
