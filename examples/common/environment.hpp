#pragma once
/// Machine, time and command, for the reports of the example programs.

#include <moecnn/version.hpp>

#include <ctime>
#include <fstream>
#include <string>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace environment {

inline std::string processor() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown";
}

/// Threads that the kernels have, whether --threads, OMP_NUM_THREADS or the number of cores decided it.
inline std::string threads() {
#ifdef _OPENMP
  return std::to_string(omp_get_max_threads());
#else
  return "1";
#endif
}

inline std::string compiler() {
#ifdef __clang__
  return __VERSION__;
#else
  return "GCC " __VERSION__;
#endif
}

inline std::string date() {
  const std::time_t today = std::time(nullptr);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M", std::localtime(&today));
  return text;
}

inline std::string version() {
  using moecnn::version;
  return std::to_string(version.major) + "." + std::to_string(version.minor) + "." + std::to_string(version.patch);
}

/// The command as it was typed.
inline std::string command_line(int argc, char** argv) {
  std::string line;
  for (int i = 0; i < argc; ++i) line += (i ? " " : "") + std::string(argv[i]);
  return line;
}

}  // namespace environment
