#pragma once
/// Checks of paths on the command line, before the work begins.

#include <moecnn/io/atomic_file.hpp>

/// Throws Error that names the option unless the file is there and can be read. An empty path: the option is not given.
inline void check_input(const char* option, const std::filesystem::path& path) {
  if (path.empty()) return;
  try {
    const moecnn::io::InputFile file(path);
  } catch (const moecnn::Error& e) {
    moecnn::fail("{}: {}", option, e.what());
  }
}

/// Throws Error unless a file can be written at `path`; makes its folder and leaves a file that is there alone.
inline void check_output(const std::filesystem::path& path) {
  if (path.empty()) return;
  if (path.has_parent_path()) {
    std::error_code error;
    std::filesystem::create_directories(path.parent_path(), error);
    moecnn::check(!error, "cannot make the folder {}: {}; choose another one", path.parent_path().string(),
                  error.message());
  }
  const moecnn::io::AtomicFile trial(path);  // not committed, so it goes again
}
