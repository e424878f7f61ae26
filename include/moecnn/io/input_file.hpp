#pragma once
/// \file
/// Files read by position. Nothing is mapped: a file that is cut short while it is being read gives an Error instead
/// of a bus error, and one that is replaced by rename goes on as the old one.

#include "moecnn/core/error.hpp"
#include "moecnn/io/messages.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

namespace moecnn::io {

/// Owns a POSIX file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int number) : number_(number) {}
  Fd(Fd&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Fd() { close(); }

  bool valid() const { return number_ >= 0; }
  int number() const { return number_; }
  void close() {
    if (number_ >= 0) ::close(std::exchange(number_, -1));
  }

 private:
  int number_ = -1;
};

/// Writes all bytes, continuing after short writes and signals. Returns 0 or the errno value.
inline int write_all(const Fd& fd, const void* data, std::size_t bytes) {
  const char* at = static_cast<const char*>(data);
  while (bytes > 0) {
    // One call moves at most 2 GiB on Linux; smaller pieces behave the same everywhere.
    const ssize_t n = ::write(fd.number(), at, bytes < (1u << 30) ? bytes : (1u << 30));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    at += n;
    bytes -= static_cast<std::size_t>(n);
  }
  return 0;
}

/// A regular file opened for reading. Reading is safe from several threads at once.
class InputFile {
 public:
  /// Throws Error when the path cannot be opened or is no regular file (a folder, a device, a pipe).
  explicit InputFile(std::filesystem::path path) : path_(std::move(path)) {
    // O_NONBLOCK: opening a pipe that nobody writes to must not hang; it has no effect on regular files.
    fd_ = Fd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    const bool missing = !fd_.valid() && (errno == ENOENT || errno == ENOTDIR);
    check(!missing, "cannot open {}: there is no such file; check its path", path_.string());
    if (!fd_.valid()) fail("cannot open {}: {}", path_.string(), os_reason(errno));
    struct stat facts {};
    if (::fstat(fd_.number(), &facts) != 0) fail("cannot examine {}: {}", path_.string(), os_reason(errno));
    check(S_ISREG(facts.st_mode), "{} is not a regular file", path_.string());
    size_ = static_cast<std::uint64_t>(facts.st_size);
  }

  const std::filesystem::path& path() const { return path_; }
  /// Bytes, when the file was opened.
  std::uint64_t size() const { return size_; }

  /// Reads exactly `bytes` bytes at `offset`; `what` names them in the error.
  void read(std::uint64_t offset, void* to, std::size_t bytes, std::string_view what) const {
    char* at = static_cast<char*>(to);
    std::size_t left = bytes;
    while (left > 0) {
      const ssize_t n = ::pread(fd_.number(), at, left < (1u << 30) ? left : (1u << 30), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail("{}: cannot read {}: {}", path_.string(), what, os_reason(errno));
      check(n > 0, "{}: ends {} bytes too early while reading {}; it was cut short, copy or save it again",
            path_.string(), left, what);
      at += n;
      offset += static_cast<std::uint64_t>(n);
      left -= static_cast<std::size_t>(n);
    }
  }

 private:
  std::filesystem::path path_;
  Fd fd_;
  std::uint64_t size_ = 0;
};

}  // namespace moecnn::io
