#pragma once
// Real data lies in folders of the folder that MOECNN_DATA names; without it, tests that want some skip themselves.

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

inline std::optional<std::filesystem::path> real_data(const std::string& folder) {
  const char* root = std::getenv("MOECNN_DATA");
  if (root && std::filesystem::is_directory(std::filesystem::path(root) / folder))
    return std::filesystem::path(root) / folder;
  MESSAGE("skipped: MOECNN_DATA is not set to a folder with ", folder, "/");
  return {};
}
