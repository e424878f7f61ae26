#pragma once
/// \file
/// How long the threads of this process had to wait for a core.

#include <cstdio>
#include <optional>

#ifdef __linux__
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#endif

namespace moecnn {

/// Seconds that the threads of this process ran, and that they were ready to run while others had the cores.
struct CoreTimes {
  double ran = 0, waited = 0;

  /// Waiting as a share of the time in which they could have run; 0 where that time is 0.
  double waited_share() const { return ran + waited > 0 ? waited / (ran + waited) : 0.0; }
  friend CoreTimes operator-(const CoreTimes& a, const CoreTimes& b) { return {a.ran - b.ran, a.waited - b.waited}; }
};

/// The sum over all threads that exist now; empty where the system does not tell. Some 10 µs per thread, and no memory is
/// allocated. Linux: /proc/self/task/*/schedstat.
inline std::optional<CoreTimes> core_times() {
#ifdef __linux__
  const int tasks = ::open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (tasks < 0) return {};
  CoreTimes sum;
  bool known = false;
  alignas(8) char entries[4096];
  // opendir() and readdir() would allocate.
  for (long bytes; (bytes = ::syscall(SYS_getdents64, tasks, entries, sizeof entries)) > 0;)
    for (long at = 0; at < bytes;) {
      std::uint16_t length;  // struct linux_dirent64: inode, offset, length of the entry, type, name
      std::memcpy(&length, entries + at + 16, sizeof length);
      const char* name = entries + at + 19;
      at += length;
      if (name[0] == '.') continue;
      char path[64], text[128];
      std::snprintf(path, sizeof path, "%.20s/schedstat", name);
      const int file = ::openat(tasks, path, O_RDONLY | O_CLOEXEC);
      if (file < 0) continue;  // the thread has ended, or the kernel keeps no such statistics
      const ssize_t n = ::read(file, text, sizeof text - 1);
      ::close(file);
      text[n > 0 ? n : 0] = 0;
      unsigned long long ran = 0, waited = 0;  // ns
      if (std::sscanf(text, "%llu %llu", &ran, &waited) != 2) continue;
      sum.ran += 1e-9 * static_cast<double>(ran), sum.waited += 1e-9 * static_cast<double>(waited);
      known = true;
    }
  ::close(tasks);
  if (known) return sum;
#endif
  return {};
}

/// Times between two looks.
class CoreTimesSince {
 public:
  /// Since the last call, or since this was made; empty where the system does not tell, and when threads have ended since,
  /// with their part of the sums.
  std::optional<CoreTimes> next() {
    const auto now = core_times();
    const auto before = last_;
    last_ = now;
    if (!now || !before || now->ran < before->ran || now->waited < before->waited) return {};
    return *now - *before;
  }

 private:
  std::optional<CoreTimes> last_ = core_times();
};

}  // namespace moecnn
