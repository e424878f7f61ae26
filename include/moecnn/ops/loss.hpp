#pragma once
#include "moecnn/ops/traits.hpp"

namespace moecnn {

/// The result of a loss, four doubles [1, 4, 1, 1] on every backend, which the host reads once per step.
struct LossResult {
  double mean = 0;     ///< the loss without its factor
  double weight = 0;   ///< Σ of the weights that the mean was divided by
  double counted = 0;  ///< labels that count: all but the ignored ones
  double hits = 0;     ///< of these, those that the network got right

  double accuracy() const { return counted > 0 ? hits / counted : 0; }
};

namespace ops {

/// Mean over rows and pixels of -log softmax(x)[label]. Inputs: logits [n, classes, h, w] and labels [n, 1, h, w] of type
/// i32. Output: LossResult; a hit is a pixel whose label has the highest logit, the lower class winning a tie.
///
/// Pixels with the label `ignore` count for nothing. With class weights w (Graph::class_weights) the mean is weighted by
/// w[label]: Σ w[label] · loss / Σ w[label]. With label smoothing ε a pixel's loss is
/// (1 - ε) · w[label] · -log p[label] + ε / classes · Σ_c w[c] · -log p[c], as in PyTorch. If nothing is left, loss and
/// gradients are 0.
struct CrossEntropy {
  static constexpr Traits traits{.name = "cross-entropy", .full_precision = true, .is_loss = true};
  int classes = 0;
  int ignore = -1;         ///< -1: every label has to be a class
  int class_weights = -1;  ///< which of the graph's class weights; -1: all classes weigh the same
  double factor = 1;       ///< weight of this loss in the program's; less than 1 for auxiliary heads
  double smoothing = 0;    ///< ε
};

/// Mean over all elements of the cross-entropy of sigmoid(x) and targets t in 0 … 1, computed as
/// max(x, 0) - x · t + log(1 + exp(-|x|)). Inputs: logits and targets, both [n, classes, h, w]. Output: LossResult; a hit
/// is an element with x > 0 where t > 1/2, and x ≤ 0 elsewhere.
///
/// Elements whose target is negative are ignored. With class weights p (Graph::class_weights) the term of the positive
/// class is multiplied by p[c], which is PyTorch's pos_weight.
struct BinaryCrossEntropy {
  static constexpr Traits traits{.name = "binary cross-entropy", .full_precision = true, .is_loss = true};
  int classes = 0;
  int class_weights = -1;  ///< which of the graph's class weights; -1: none
  double factor = 1;
};

}  // namespace ops
}  // namespace moecnn
