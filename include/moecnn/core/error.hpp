#pragma once
/// \file
/// Errors are exceptions of one type whose text says what was found, what was expected and what to do next.

#include "moecnn/core/format.hpp"

#include <stdexcept>
#include <string>
#include <utility>

#ifndef __cpp_exceptions
#error "moecnn reports errors by exceptions; compile without -fno-exceptions"
#endif
#ifndef __cpp_rtti
#error "moecnn needs run-time type information; compile without -fno-rtti"
#endif

namespace moecnn {

/// Everything that moecnn throws on bad input, bad files and misuse at run time.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Throws Error with a formatted sentence: `fail("{} has {} channels, expected {}", name, has, wants)`.
template <class... Args>
[[noreturn]] void fail(Format<Args...> text, const Args&... args) {
  const FormatArg all[] = {FormatArg(args)..., 0};
  throw Error(vformatted(text, all, sizeof...(args)));
}

/// Throws Error with a formatted sentence unless `condition` holds. The arguments are formatted only on failure.
template <class... Args>
void check(bool condition, Format<Args...> text, const Args&... args) {
  if (condition) [[likely]]
    return;
  const FormatArg all[] = {FormatArg(args)..., 0};
  throw Error(vformatted(text, all, sizeof...(args)));
}

}  // namespace moecnn
