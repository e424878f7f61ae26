#pragma once
#include "moecnn/core/extent.hpp"
#include "moecnn/ops/traits.hpp"

namespace moecnn::ops {

/// 2-D convolution (cross-correlation, as everywhere in deep learning).
/// Input: [n, in, h, w], and with `residual` a second one shaped like the output. Parameters: weight
/// [out, in / groups, kh, kw], and with `bias` bias [out]. Output: [n, out, h', w'] = act(conv(x) + bias + residual).
struct Conv {
  static constexpr Traits traits{.name = "conv", .low_weights = true};
  int in = 0, out = 0;
  Size2 kernel = 1, stride = 1, pad = 0, dilation = 1;
  int groups = 1;
  bool bias = false;
  bool residual = false;  ///< inference only: set by fold_batch_norm
  bool relu = false;      ///< inference only: set by fold_batch_norm and fuse_conv_activation

  Extent output(Extent x) const {
    return {x.n, window_out(x.h, kernel.h, stride.h, pad.h, dilation.h),
            window_out(x.w, kernel.w, stride.w, pad.w, dilation.w)};
  }
  long long weights() const { return 1LL * out * (in / groups) * kernel.h * kernel.w; }
  long long macs(Extent, Extent y) const { return weights() * y.pixels(); }
  std::string text() const {
    std::string words = "conv " + window_text(kernel, stride);
    if (dilation != Size2(1)) words += formatted(" dilation {}", dilation.h);
    if (groups > 1) words += formatted(" groups {}", groups);
    return words + fused_text(residual, relu);
  }
};

}  // namespace moecnn::ops
