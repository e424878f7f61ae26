#pragma once
/// What `train` leaves beside the weights so that other commands need not be told again: options.json.

#include "options.hpp"

#include <moecnn/io/atomic_file.hpp>
#include <moecnn/io/json.hpp>

#include <fstream>
#include <sstream>

namespace segmentation {

inline void write_text(const std::filesystem::path& path, const std::string& text) {
  if (path.has_parent_path()) {
    std::error_code error;
    std::filesystem::create_directories(path.parent_path(), error);
    check(!error, "cannot make the folder {}: {}", path.parent_path().string(), error.message());
  }
  io::AtomicFile file(path);
  file.write(text);
  file.commit();
}

inline io::Json read_json(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  check(in.good(), "{} cannot be opened", path.string());
  std::ostringstream text;
  text << in.rdbuf();
  return io::Json::parse(text.str(), path.string());
}

inline std::filesystem::path options_file(const std::filesystem::path& folder) { return folder / "options.json"; }

inline void save_options(const Options& o) {
  io::Json all = io::Json::object();
  for (const auto& [name, value] : lasting_options(o)) all.set(name, value);
  write_text(options_file(o.out), all.dump(2) + "\n");
}

/// Options that `train` left in the folder; none where there is no such file.
inline Settings saved_options(const std::filesystem::path& folder) {
  Settings options;
  if (std::error_code ignored; !std::filesystem::exists(options_file(folder), ignored)) return options;
  for (const auto& [name, value] : read_json(options_file(folder)).members())
    options.emplace_back(name, value.text_or(""));
  return options;
}

}  // namespace segmentation
