#pragma once
#include "moecnn/ops/traits.hpp"

namespace moecnn::ops {

/// Batch normalisation over rows and pixels, per channel (Ioffe and Szegedy, 2015), with what usually follows it.
/// Inputs: [n, C, h, w], and with `residual` a second one of the same shape. Parameters: weight, bias, and the buffers
/// running_mean, running_var, each [C]. Output: act(norm(x) · weight + bias + residual).
///
/// Training uses the biased variance of the batch and moves the running statistics by `momentum`, with the unbiased
/// variance. Inside an expert the batch is the rows routed to it; an expert without rows keeps its statistics; with a
/// single value per channel the variance is 0, and the unbiased factor m / (m - 1) is taken as 1.
///
/// `frozen`: training uses the running statistics, too, and leaves them as they are, as torchvision's FrozenBatchNorm2d
/// does; they are constants for the gradient.
struct BatchNorm {
  static constexpr Traits traits{.name = "batch norm"};
  int channels = 0;
  double eps = 1e-5;
  double momentum = 0.1;
  bool residual = false;  ///< set by fuse_norm_activation
  bool relu = false;      ///< set by fuse_norm_activation
  bool frozen = false;    ///< set by freeze_norms
  std::string text() const { return "batch norm" + fused_text(residual, relu); }
};

}  // namespace moecnn::ops
