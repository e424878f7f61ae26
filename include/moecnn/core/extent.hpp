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
  const int out = (in - 1) * stride - 2 * pad + dilation * (kernel - 1) + out_pad + 1;
  check(
      out >= 1,
      "a transposed window (kernel {}, stride {}, dilation {}, padding {}) makes {} pixels of {}; pad less or enlarge "
      "the input",
      kernel, stride, dilation, pad, out, in);
  return out;
}

/// How many pieces of `size` cover `whole`; the last one may stick out.
constexpr int pieces(int whole, int size) { return (whole + size - 1) / size; }

/// Adaptive pooling of `in` pixels to `bins`: bin i averages the pixels [bin_begin(i), bin_end(i)). Bins overlap by a pixel
/// where `bins` does not divide `in`.
constexpr int bin_begin(int i, int in, int bins) { return static_cast<int>(1LL * i * in / bins); }
constexpr int bin_end(int i, int in, int bins) { return static_cast<int>((1LL * (i + 1) * in + bins - 1) / bins); }

}  // namespace moecnn
