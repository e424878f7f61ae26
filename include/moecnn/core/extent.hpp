#pragma once
/// \file
/// Sizes of feature maps and the one place where the size formulas of windows live.

#include "moecnn/core/error.hpp"

namespace moecnn {

/// Rows (images, or rows routed to experts), height and width. Channels are part of the type, see value.hpp.
struct Extent {
  int n = 1, h = 1, w = 1;
  friend bool operator==(const Extent&, const Extent&) = default;
  long long pixels() const { return static_cast<long long>(h) * w; }
};

/// Output size along one axis of a convolution or pooling window:
/// floor((in + 2 pad - dilation (kernel - 1) - 1) / stride) + 1.
inline int window_out(int in, int kernel, int stride, int pad, int dilation = 1) {
  const int span = dilation * (kernel - 1) + 1;
  check(in + 2 * pad >= span,
        "a window of {} (kernel {}, dilation {}) does not fit into {} pixels with {} of padding on each side; "
        "enlarge the input or the padding",
        span, kernel, dilation, in, pad);
  return (in + 2 * pad - span) / stride + 1;
}

/// Output size along one axis of a transposed convolution:
/// (in - 1) stride - 2 pad + dilation (kernel - 1) + out_pad + 1.
inline int transposed_out(int in, int kernel, int stride, int pad, int dilation = 1, int out_pad = 0) {
  return (in - 1) * stride - 2 * pad + dilation * (kernel - 1) + out_pad + 1;
}

}  // namespace moecnn
