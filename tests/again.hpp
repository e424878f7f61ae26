#pragma once
// Runs one case of this test program in a process of its own, with another environment: OpenMP reads its variables once.

#include "moecnn/core/error.hpp"

#include <array>
#include <cstdio>
#include <filesystem>
#include <string>

/// Runs case `name`, which doctest skips, and returns its output. `environment`: as for env(1), e.g. "-u OMP_WAIT_POLICY".
inline std::string run_again(const std::string& name, const std::string& environment) {
  const std::string command = "env " + environment + " '" + std::filesystem::read_symlink("/proc/self/exe").string() +
                              "' --no-skip --minimal --test-case='" + name + "'";
  std::FILE* pipe = ::popen(command.c_str(), "r");
  moecnn::check(pipe != nullptr, "cannot run {}", command);
  std::string output;
  std::array<char, 4096> part;
  for (std::size_t n; (n = std::fread(part.data(), 1, part.size(), pipe)) > 0;) output.append(part.data(), n);
  moecnn::check(::pclose(pipe) == 0, "{} failed:\n{}", command, output);
  return output;
}

/// The number that stands behind `word` and a blank in a text.
inline double number_after(const std::string& text, const std::string& word) {
  const auto at = text.find(word + " ");
  moecnn::check(at != std::string::npos, "there is no '{}' in:\n{}", word, text);
  return std::stod(text.substr(at + word.size() + 1));
}
