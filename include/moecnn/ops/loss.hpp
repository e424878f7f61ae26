#pragma once
#include "moecnn/ops/traits.hpp"

namespace moecnn::ops {

/// Mean over rows and pixels of -log softmax(x)[label]. Input: logits [n, classes, h, w]; the n · h · w labels come from
/// the program's caller. Output: one number, `factor` times the mean.
///
/// Pixels with the label `ignore` count for nothing. With class weights w (Graph::class_weights) the mean is weighted by
/// w[label]: Σ w[label] · loss / Σ w[label]. If nothing is left, loss and gradients are 0.
struct CrossEntropy {
  static constexpr Traits traits{.name = "cross-entropy", .full_precision = true};
  int classes = 0;
  int ignore = -1;         ///< -1: every label has to be a class
  int class_weights = -1;  ///< which of the graph's class weights; -1: all classes weigh the same
  double factor = 1;       ///< weight of this loss in the program's; less than 1 for auxiliary heads
};

}  // namespace moecnn::ops
