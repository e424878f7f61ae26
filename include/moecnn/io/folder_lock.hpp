#pragma once
/// \file
/// One writer per folder.

#include "moecnn/io/input_file.hpp"

#include <sys/file.h>

#include <charconv>

namespace moecnn::io {

/// Holds a folder while it lives, by a lock on `FOLDER/run.lock`. The kernel gives the lock back when the process ends in
/// any way, so a killed run stands in nobody's way, whether its file is still there or not. Another process, or another
/// FolderLock of this one, gets an Error that names the folder and the process that holds it.
///
/// File systems without locks (some network ones) are used without.
class FolderLock {
 public:
  /// The folder must exist.
  explicit FolderLock(const std::filesystem::path& folder) : file_(folder / "run.lock") {
    for (;;) {
      fd_ = Fd(::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
      if (!fd_.valid()) fail("cannot write {}: {}", file_.string(), os_reason(errno));
      if (::flock(fd_.number(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        fail("another run{} is writing into {}; wait for its end, stop it, or choose another folder", holder(),
             folder.string());
      if (is_still_the_file()) break;  // else its owner has just removed it
    }
    const std::string pid = std::to_string(::getpid()) + "\n";
    // For messages only, so a full disk is no reason to stop here.
    if (::ftruncate(fd_.number(), 0) == 0) write_all(fd_, pid.data(), pid.size());
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock() { ::unlink(file_.c_str()); }

 private:
  /// " (process 1234)", or nothing where its file does not tell.
  std::string holder() const {
    char text[32] = {};
    const ssize_t n = ::pread(fd_.number(), text, sizeof text - 1, 0);
    int pid = 0;
    if (n <= 0 || std::from_chars(text, text + n, pid).ec != std::errc() || pid <= 0) return "";
    return " (process " + std::to_string(pid) + ")";
  }
  bool is_still_the_file() const {
    struct stat opened {
    }, named{};
    return ::fstat(fd_.number(), &opened) == 0 && ::stat(file_.c_str(), &named) == 0 && opened.st_ino == named.st_ino &&
           opened.st_dev == named.st_dev;
  }

  std::filesystem::path file_;
  Fd fd_;
};

}  // namespace moecnn::io
