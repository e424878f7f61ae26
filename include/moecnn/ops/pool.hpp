#pragma once
#include "moecnn/core/extent.hpp"
#include "moecnn/core/size2.hpp"

namespace moecnn::ops {

/// Mean over height and width: [n, C, h, w] → [n, C].
struct GlobalAvgPool {};

/// Largest value of each window; padding never wins. Ties go to the first position in row order.
struct MaxPool {
  Size2 kernel = 2, stride = 2, pad = 0;
  Extent output(Extent x) const {
    return {x.n, window_out(x.h, kernel.h, stride.h, pad.h), window_out(x.w, kernel.w, stride.w, pad.w)};
  }
};

}  // namespace moecnn::ops
