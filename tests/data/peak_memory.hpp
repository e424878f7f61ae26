#pragma once
// How much memory an action needs at its peak, as Linux counts it.

#include <cstddef>
#include <fstream>
#include <optional>
#include <string>

/// A line of /proc/self/status, in bytes: "VmHWM", "VmRSS".
inline std::optional<std::size_t> memory_line(const std::string& name) {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(name + ":")) return std::stoull(line.substr(name.size() + 1)) << 10;
  return {};
}

/// Bytes by which the memory of the process grew above what it was before, at the worst moment. Nothing where the system
/// does not count the peak anew.
template <class Action>
std::optional<std::size_t> peak_growth(Action&& action) {
  {
    std::ofstream reset("/proc/self/clear_refs");
    if (!(reset << "5" << std::flush)) return {};
  }
  const auto before = memory_line("VmRSS");
  action();
  const auto after = memory_line("VmHWM");
  if (!before || !after) return {};
  return *after > *before ? *after - *before : 0;
}
