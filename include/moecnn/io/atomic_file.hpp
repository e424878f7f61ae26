#pragma once
/// \file
/// A file that appears whole or not at all: a kill, a full disk or a power cut at any instant leaves the old one.

#include "moecnn/io/input_file.hpp"

#include <sys/file.h>

#include <cstdio>

namespace moecnn::io {

/// Written under `PATH.partial` in the same folder, then flushed to the disk and renamed over PATH by commit().
/// Without commit() the partial file is removed and the old PATH stays. The name is fixed, so killed runs leave at
/// most one partial file, which the next one overwrites; a lock keeps two writers of one PATH apart.
class AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& path)
      : path_(target_of(path)), partial_(path_.string() + ".partial") {
    for (;;) {
      fd_ = Fd(::open(partial_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
      if (!fd_.valid()) fail("cannot write {}: opening {}: {}", path_.string(), partial_.string(), os_reason(errno));
      // File systems without locks answer something else than EWOULDBLOCK; there the lock is done without.
      check(::flock(fd_.number(), LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK,
            "cannot write {}: another process is writing it now; wait for that one or choose another output",
            path_.string());
      if (is_still_the_partial_file()) break;  // else another writer has just renamed or removed it
    }
    if (::ftruncate(fd_.number(), 0) != 0) give_up("emptying", errno);
  }
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile() {
    if (fd_.valid()) ::unlink(partial_.c_str());
  }

  /// Appends bytes. Throws Error (path, the system's reason, what to do) and removes the partial file on failure.
  void write(const void* data, std::size_t bytes) {
    check(fd_.valid(), "{}: written to after it was finished", path_.string());
    if (const int error = write_all(fd_, data, bytes)) give_up("writing", error);
  }
  void write(std::string_view text) { write(text.data(), text.size()); }

  /// Puts the new file in place of the old one. After it returns the new one survives a power cut.
  void commit() {
    check(fd_.valid(), "{}: finished twice", path_.string());
    if (::fsync(fd_.number()) != 0) give_up("flushing", errno);
    if (std::rename(partial_.c_str(), path_.c_str()) != 0) give_up("renaming", errno);
    fd_.close();
    const std::filesystem::path folder = path_.has_parent_path() ? path_.parent_path() : ".";
    const Fd dir(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    // Some file systems cannot flush a folder and say EINVAL; that is no failure of the file.
    if (dir.valid() && ::fsync(dir.number()) != 0 && errno != EINVAL)
      fail("{} is written, but flushing its folder: {}", path_.string(), os_reason(errno));
  }

 private:
  /// Writing to a link means writing to what it points to. Devices and folders are refused: they cannot be replaced.
  static std::filesystem::path target_of(const std::filesystem::path& path) {
    namespace fs = std::filesystem;
    std::error_code ignored;
    const fs::path target = fs::is_symlink(path, ignored) && fs::exists(path, ignored) ? fs::canonical(path) : path;
    check(!fs::exists(target, ignored) || fs::is_regular_file(target, ignored),
          "cannot write {}: it exists and is not a regular file; choose another name", path.string());
    return target;
  }

  bool is_still_the_partial_file() const {
    struct stat opened {
    }, named{};
    return ::fstat(fd_.number(), &opened) == 0 && ::stat(partial_.c_str(), &named) == 0 &&
           opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
  }

  [[noreturn]] void give_up(const char* doing, int error) {
    ::unlink(partial_.c_str());
    fd_.close();
    fail("cannot write {}: {} {}: {} (the old file, if there was one, is unchanged)", path_.string(), doing,
         partial_.string(), os_reason(error));
  }

  std::filesystem::path path_, partial_;
  Fd fd_;
};

}  // namespace moecnn::io
