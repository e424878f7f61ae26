#pragma once
/// \file
/// A pair of numbers for height and width that may be written as one: `.kernel = 3` or `.kernel = {3, 1}`.

namespace moecnn {

struct Size2 {
  int h, w;
  constexpr Size2(int both) : h(both), w(both) {}  // NOLINT: implicit on purpose, `.stride = 2`
  constexpr Size2(int height, int width) : h(height), w(width) {}
  friend constexpr bool operator==(const Size2&, const Size2&) = default;
};

}  // namespace moecnn
