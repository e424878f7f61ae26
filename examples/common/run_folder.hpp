#pragma once
/// Files that commands write and read.

#include <moecnn/io/atomic_file.hpp>
#include <moecnn/io/input_file.hpp>
#include <moecnn/io/json.hpp>

#include <filesystem>
#include <string>

namespace runs {

using namespace moecnn;

/// A path as a text of its own in files that hold UTF-8: other bytes, and backslashes, are written as \xff.
inline std::string path_text(const std::string& path) {
  if (io::is_utf8(path) && path.find('\\') == path.npos) return path;
  std::string text;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    text += byte < 0x80 && c != '\\' ? std::string(1, c) : formatted("\\x{:02x}", byte);
  }
  return text;
}

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

/// Throws Error on files of more than 64 MiB.
inline std::string read_text(const std::filesystem::path& path) {
  constexpr std::uint64_t most = 64u << 20;
  const io::InputFile file(path);
  check(file.size() <= most, "{} has {} bytes, expected at most {}; it was not written by this program", path.string(),
        file.size(), most);
  std::string text(static_cast<std::size_t>(file.size()), '\0');
  file.read(0, text.data(), text.size(), "its text");
  return text;
}

inline io::Json read_json(const std::filesystem::path& path) { return io::Json::parse(read_text(path), path.string()); }

}  // namespace runs
