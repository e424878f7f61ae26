#pragma once
// Real data lies in folders of the folder that MOECNN_DATA names; without it, tests that need some skip themselves. A
// variable that is set but empty names no folder.

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

/// The folder of all real data.
inline std::optional<std::filesystem::path> real_data_root() {
  const char* root = std::getenv("MOECNN_DATA");
  if (!root || *root == '\0') return {};
  return root;
}

/// A folder of real data, where it is there.
inline std::optional<std::filesystem::path> real_data(const std::string& folder) {
  if (const auto root = real_data_root(); root && std::filesystem::is_directory(*root / folder)) return *root / folder;
  MESSAGE("skipped: MOECNN_DATA is not set to a folder with ", folder, "/");
  return {};
}
