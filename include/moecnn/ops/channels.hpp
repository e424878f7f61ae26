#pragma once
#include "moecnn/ops/traits.hpp"

namespace moecnn::ops {

/// All channels of all inputs, one input after the other. Inputs: [n, C_i, h, w]. Output: [n, Σ C_i, h, w].
struct Concat {
  static constexpr Traits traits{.name = "concat"};
};

/// Channels [first, first + count).
struct Slice {
  static constexpr Traits traits{.name = "slice"};
  int first = 0, count = 0;
};

/// Every channel times one factor per row and channel: squeeze-and-excitation. Inputs: [n, C, h, w] and [n, C, 1, 1].
struct Scale {
  static constexpr Traits traits{.name = "scale"};
};

}  // namespace moecnn::ops
