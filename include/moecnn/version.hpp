#pragma once
/// \file
/// The version of moecnn. CMake reads these three numbers; nothing else in the project repeats them.

#define MOECNN_VERSION_MAJOR 0
#define MOECNN_VERSION_MINOR 1
#define MOECNN_VERSION_PATCH 0

namespace moecnn {

/// The same numbers for code: `static_assert(moecnn::version.major >= 1)`.
struct Version {
  int major, minor, patch;
};

inline constexpr Version version{MOECNN_VERSION_MAJOR, MOECNN_VERSION_MINOR, MOECNN_VERSION_PATCH};

}  // namespace moecnn
