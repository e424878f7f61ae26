#pragma once
#include "moecnn/ops/conv.hpp"

namespace moecnn::ops {

/// Gather, one convolution per expert, combine, as one operation. A convolution is linear in its weights, so
/// Σ_e w_e · conv(x, W_e) = conv(x, Σ_e w_e · W_e): the k kernels of a row are mixed, and the row is convolved once.
/// Input: rows [n, in, h, w]. Parameters: those of the convolution, once per expert. Output: rows [n, out, h', w'].
/// A row that no expert serves gives zeros. Made by mix_linear_experts.
struct MixedConv {
  static constexpr Traits traits{.name = "mixed conv", .low_weights = true};
  Conv conv;
  long long macs(Extent x, Extent y) const { return conv.macs(x, y); }
};

}  // namespace moecnn::ops
