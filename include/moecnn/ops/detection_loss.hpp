#pragma once
/// \file
/// Losses of a detector. Anchors are numbered level by level, in a level pixel by pixel in rows, and at a pixel one after
/// another; a target says of each what it stands for.

#include "moecnn/ops/loss.hpp"

namespace moecnn::ops {

/// In the target "anchor_class", beside the classes from 0 on.
inline constexpr int anchor_of_background = -1, anchor_ignored = -2;

/// Mean over images of Σ over anchors and classes of -α (1 - q)^γ log q, divided by the image's number of positive anchors,
/// or 1 if there is none (Lin et al., 2017). For the class of a positive anchor q = p and α = `alpha`, else q = 1 - p and
/// α = 1 - `alpha`. Ignored anchors count for nothing.
///
/// Inputs: for each level a map [n, anchors · classes, h, w], whose channel a · classes + c is class c of anchor a;
/// last the target [n, 1, 1, all anchors] of i32. Output: LossResult with the images as weight; positive anchors count,
/// a hit is one whose class has p > 1/2.
struct FocalLoss {
  static constexpr Traits traits{.name = "focal loss", .full_precision = true, .is_loss = true};
  int classes = 0;
  int anchors = 0;      ///< of a pixel
  bool logits = false;  ///< the maps are logits x, p = sigmoid(x); otherwise probabilities
  double alpha = 0.25, gamma = 2;
  double clamp =
      1e-4;  ///< p is taken to lie in clamp … 1 - clamp, beyond which there is no slope; 0: no bounds, logits only
  double factor = 1;
};

/// Mean over images of Σ over the deltas d of positive anchors of f(|d - target|), divided by `divisor` times their number;
/// 0 for an image without positive anchors. f is smooth L1: d² / (2 corner) below the corner, d - corner / 2 above.
///
/// Inputs: for each level a map [n, anchors · 4, h, w], channel 4 a + i; then the targets [n, 1, 1, all anchors] of i32, as
/// for FocalLoss, and [n, 1, all anchors, 4]. Output: LossResult with the images as weight; positive anchors count, a hit
/// is one whose deltas are all within 1/2 of their targets.
struct BoxLoss {
  static constexpr Traits traits{.name = "box loss", .full_precision = true, .is_loss = true};
  int anchors = 0;          ///< of a pixel
  double corner = 1.0 / 9;  ///< 0: plain L1
  double divisor = 4;
  double factor = 1;
};

}  // namespace moecnn::ops
