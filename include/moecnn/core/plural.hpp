#pragma once
/// \file
/// A count with its noun, in words.

#include "moecnn/core/format.hpp"

namespace moecnn {

/// "1 step", "2 steps"; `many` is the plural where appending an s is wrong: counted(n, "loss", "losses").
inline std::string counted(long long n, std::string_view one, std::string_view many = {}) {
  if (n == 1) return formatted("1 {}", one);
  return many.empty() ? formatted("{} {}s", n, one) : formatted("{} {}", n, many);
}

}  // namespace moecnn
