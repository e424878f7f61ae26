#pragma once
#include "moecnn/core/extent.hpp"
#include "moecnn/ops/traits.hpp"

namespace moecnn::ops {

/// Mean over height and width: [n, C, h, w] → [n, C].
struct GlobalAvgPool {
  static constexpr Traits traits{.name = "average pool"};
};

/// Largest value of each window; padding never wins. Ties go to the first position in row order.
struct MaxPool {
  static constexpr Traits traits{.name = "max pool"};
  Size2 kernel = 2, stride = 2, pad = 0;
  Extent output(Extent x) const {
    return {x.n, window_out(x.h, kernel.h, stride.h, pad.h), window_out(x.w, kernel.w, stride.w, pad.w)};
  }
  std::string text() const { return "max pool " + window_text(kernel, stride); }
};

/// Where MaxPool finds the largest value of each window: y · w + x in the map, as an element. Carries no gradient.
struct ArgMaxPool {
  static constexpr Traits traits{.name = "max-pool indices", .carries_gradient = false, .exact_output = true};
  Size2 kernel = 2, stride = 2, pad = 0;
  Extent output(Extent x) const { return MaxPool{kernel, stride, pad}.output(x); }
};

/// Puts each value where an ArgMaxPool found the largest one, zero elsewhere. Inputs: values [n, C, h, w] and indices of
/// the same shape. Output: [n, C, size]. No two values of a channel have the same index.
struct MaxUnpool {
  static constexpr Traits traits{.name = "max unpool"};
  Size2 size = 1;
  Extent output(Extent x) const { return {x.n, size.h, size.w}; }
};

/// Mean of each window.
struct AvgPool {
  static constexpr Traits traits{.name = "average pool"};
  Size2 kernel = 2, stride = 2, pad = 0;
  bool count_pad = true;  ///< padding counts as pixels with the value 0; false: the mean is over those that exist
  Extent output(Extent x) const { return MaxPool{kernel, stride, pad}.output(x); }
  std::string text() const { return "average pool " + window_text(kernel, stride); }
};

/// Mean of each of bins.h × bins.w parts of the map, which overlap where the map cannot be divided: see bin_begin().
struct AdaptiveAvgPool {
  static constexpr Traits traits{.name = "adaptive average pool"};
  Size2 bins = 1;
  Extent output(Extent x) const { return {x.n, bins.h, bins.w}; }
};

}  // namespace moecnn::ops
