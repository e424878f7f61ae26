#pragma once
#include "moecnn/core/extent.hpp"
#include "moecnn/ops/traits.hpp"

namespace moecnn::ops {

/// Transposed convolution: the gradient of a convolution with respect to its input ("deconvolution").
/// Input: [n, in, h, w]. Parameters: weight [in, out / groups, kh, kw], and with `bias` bias [out].
/// Output: [n, out, h', w']; y[stride · i - pad + dilation · k] += x[i] · weight[k]. `out_pad` adds rows and columns at
/// the bottom and the right, which several sizes of an input would otherwise share.
struct ConvTranspose {
  static constexpr Traits traits{.name = "transposed conv", .low_weights = true};
  int in = 0, out = 0;
  Size2 kernel = 1, stride = 1, pad = 0, out_pad = 0, dilation = 1;
  int groups = 1;
  bool bias = false;

  Extent output(Extent x) const {
    return {x.n, transposed_out(x.h, kernel.h, stride.h, pad.h, dilation.h, out_pad.h),
            transposed_out(x.w, kernel.w, stride.w, pad.w, dilation.w, out_pad.w)};
  }
  long long weights() const { return 1LL * in * (out / groups) * kernel.h * kernel.w; }
  long long macs(Extent x, Extent) const { return weights() * x.pixels(); }
  std::string text() const { return "transposed conv " + window_text(kernel, stride); }
};

}  // namespace moecnn::ops
