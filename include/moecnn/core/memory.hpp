#pragma once
/// \file
/// How much memory a process may still take. A system that has promised more than it has kills processes without a
/// message; a check before allocating can name the sizes that do not fit.

#include "moecnn/core/format.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moecnn {

/// The texts in which Linux says how much memory there is. All are empty on other systems.
struct MemoryFiles {
  /// A control group, of version 1 or 2: memory.limit_in_bytes or memory.max, memory.usage_in_bytes or memory.current, and
  /// memory.stat.
  struct Group {
    std::string limit, usage, stat;
  };
  std::string meminfo;        ///< /proc/meminfo
  std::vector<Group> groups;  ///< those that the process is in, the innermost first
};

namespace detail {

/// The number at the beginning of a text; empty where there is none ("max"), or it does not fit into 64 bits.
inline std::optional<std::uint64_t> leading_number(std::string_view text) {
  while (!text.empty() && (text[0] == ' ' || text[0] == '\t')) text.remove_prefix(1);
  if (text.empty() || text[0] < '0' || text[0] > '9') return {};
  std::uint64_t n = 0;
  for (; !text.empty() && text[0] >= '0' && text[0] <= '9'; text.remove_prefix(1)) {
    const auto digit = static_cast<std::uint64_t>(text[0] - '0');
    if (n > (UINT64_MAX - digit) / 10) return {};
    n = 10 * n + digit;
  }
  return n;
}

/// The number behind `key` at the beginning of a line.
inline std::optional<std::uint64_t> number_of(std::string_view text, std::string_view key) {
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view line = text.substr(at, text.find('\n', at) - at);
    if (line.starts_with(key)) return leading_number(line.substr(key.size()));
    at += line.size() + 1;
  }
  return {};
}

/// Of a group with a limit: what is left of it. Files in memory count as free, since the system takes their pages back.
inline std::optional<std::uint64_t> left_in(const MemoryFiles::Group& g) {
  const auto limit = leading_number(g.limit), usage = leading_number(g.usage);
  if (!limit || !usage || *limit >= std::uint64_t(1) << 60) return {};  // version 1 says "none" by a huge number
  std::uint64_t files = 0;
  for (const std::string_view kind : {"inactive_file ", "active_file "}) {
    const auto with_children = number_of(g.stat, "total_" + std::string(kind));
    files += std::min((with_children ? with_children : number_of(g.stat, kind)).value_or(0), UINT64_MAX / 2);
  }
  const std::uint64_t used = *usage - std::min(*usage, files);
  return *limit - std::min(*limit, used);
}

/// A small text file; empty where it cannot be read.
inline std::string small_file(const std::string& path) {
  std::string text;
  if (std::FILE* f = std::fopen(path.c_str(), "rb")) {
    char block[4096];
    for (std::size_t n = 1; n > 0 && text.size() < (1 << 20); text.append(block, n)) n = std::fread(block, 1, 4096, f);
    std::fclose(f);
  }
  return text;
}

}  // namespace detail

/// Bytes that can still be taken: the least of what the machine and the control groups have left, and free swap. Empty
/// where the texts do not say.
inline std::optional<std::uint64_t> memory_left(const MemoryFiles& files) {
  const auto kilobytes = [&](const char* key) -> std::optional<std::uint64_t> {
    const auto n = detail::number_of(files.meminfo, key);
    if (!n || *n >= std::uint64_t(1) << 50) return {};
    return 1024 * *n;
  };
  auto least = kilobytes("MemAvailable:");
  for (const auto& group : files.groups)
    if (const auto left = detail::left_in(group)) least = std::min(left.value(), least.value_or(*left));
  if (least) *least += kilobytes("SwapFree:").value_or(0);
  return least;
}

/// The texts of this system; below `root` for tests.
inline MemoryFiles read_memory_files(const std::string& root = "") {
  MemoryFiles files;
#ifdef __linux__
  files.meminfo = detail::small_file(root + "/proc/meminfo");
  const std::string list = detail::small_file(root + "/proc/self/cgroup");  // lines of number:controllers:path
  for (std::size_t at = 0; at < list.size();) {
    const std::string line = list.substr(at, list.find('\n', at) - at);
    at += line.size() + 1;
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == line.npos || second == line.npos) continue;
    const std::string controllers = ',' + line.substr(first + 1, second - first - 1) + ',';
    const bool two = controllers == ",,";
    if (!two && controllers.find(",memory,") == controllers.npos) continue;
    // Limits of the groups around it count as well. In a container the path may not be there, only its end.
    for (std::string path = line.substr(second + 1);; path.erase(path.find_last_of('/'))) {
      const std::string folder = root + (two ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory") + path + '/';
      MemoryFiles::Group g{detail::small_file(folder + (two ? "memory.max" : "memory.limit_in_bytes")),
                           detail::small_file(folder + (two ? "memory.current" : "memory.usage_in_bytes")),
                           detail::small_file(folder + "memory.stat")};
      if (!g.limit.empty()) files.groups.push_back(std::move(g));
      if (path.find('/') == path.npos) break;
    }
  }
#endif
  return files;
}

/// How much memory may be taken.
class MemoryLimit {
 public:
  /// The memory that the system has left. It is asked anew each time.
  static MemoryLimit system() { return MemoryLimit(Kind::system, 0); }
  /// Always `n` bytes.
  static MemoryLimit bytes(std::uint64_t n) { return MemoryLimit(Kind::bytes, n); }
  /// Nothing is checked.
  static MemoryLimit none() { return MemoryLimit(Kind::none, 0); }

  /// The memory left, or nothing where that is not known or not to be checked. `wanted` is the size asked for: where it is
  /// too little to matter, the system is not asked.
  std::optional<std::uint64_t> left(std::uint64_t wanted = UINT64_MAX) const {
    if (kind_ == Kind::bytes) return bytes_;
    if (kind_ == Kind::none || wanted < 64 << 20) return {};
    return memory_left(read_memory_files());
  }

  /// Whether that much may be taken. The system gives an estimate, so 2 % more than that may be.
  static bool fits(std::uint64_t wanted, std::uint64_t left) { return wanted <= left + left / 50; }

 private:
  enum class Kind : unsigned char { system, bytes, none };
  MemoryLimit(Kind kind, std::uint64_t n) : kind_(kind), bytes_(n) {}

  Kind kind_;
  std::uint64_t bytes_;
};

/// "12.3 GB", "45.6 MB".
inline std::string memory_text(std::uint64_t bytes) {
  const auto n = static_cast<double>(bytes);
  return n >= 1e9 ? formatted("{:.1f} GB", n / 1e9) : formatted("{:.1f} MB", n / 1e6);
}

}  // namespace moecnn
