#pragma once
/// \file
/// Errors are exceptions of one type whose text says what was found, what was expected and what to do next.

#include <fmt/core.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace moecnn {

/// Everything that moecnn throws on bad input, bad files and misuse at run time.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Throws Error with a formatted sentence: `fail("{} has {} channels, expected {}", name, has, wants)`.
template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> text, Args&&... args) {
  throw Error(fmt::vformat(text, fmt::make_format_args(args...)));
}

/// Throws Error with a formatted sentence unless `condition` holds. The arguments are formatted only on failure.
template <class... Args>
void check(bool condition, fmt::format_string<Args...> text, Args&&... args) {
  if (!condition) [[unlikely]]
    throw Error(fmt::vformat(text, fmt::make_format_args(args...)));
}

}  // namespace moecnn
