#pragma once
/// \file
/// The recorder's verbs for losses and their targets.

#include "moecnn/graph/builder.hpp"

namespace moecnn {

/// Options of one loss of a network.
struct LossOpts {
  int ignore = -1;                         ///< pixels with this label count for nothing; -1: there are none
  std::vector<double> class_weights = {};  ///< one per class; empty: all weigh the same
  double factor = 1;                       ///< weight of this loss in the program's
  double label_smoothing = 0;              ///< ε in [0, 1): share of the weight that all classes have in common
};

class LossVerbs : public Builder {
 public:
  using Builder::Builder;

  /// A named input beside the images, which the caller feeds for every batch: [extent.n, channels, h, w] of elements of
  /// that type; f32 stands for the backend's own. A second request for the same name gives the same edge.
  int target(std::string_view name, Extent extent, int channels = 1, DType dtype = DType::f32) {
    for (const int e : graph_.targets()) {
      const Edge& known = graph_.edges[e];
      if (known.name != name) continue;
      check(
          known.extent == extent && known.channels == channels && known.dtype == dtype,
          "the target \"{}\" is wanted as {}x{}x{}x{} by one loss and as {}x{}x{}x{} by another; resize the values of "
          "all losses to one size, or give the targets different names",
          name, known.extent.n, known.channels, known.extent.h, known.extent.w, extent.n, channels, extent.h, extent.w);
      return e;
    }
    const int e = record(ops::Input{}, {}, channels, extent);
    graph_.edges[e].name = graph_.nodes.back().name = name;
    graph_.edges[e].dtype = dtype;
    return e;
  }

  /// Adds a loss to the network's: the mean cross-entropy of an edge of logits, see ops::CrossEntropy. `labels`: an edge
  /// of i32, [n, 1, h, w]; -1: the target "labels". Returns the edge of the LossResult.
  int cross_entropy(int logits, const LossOpts& opts = {}, int labels = -1) {
    const Edge x = graph_.edges[logits];
    check_loss(x);
    check(opts.label_smoothing >= 0 && opts.label_smoothing < 1,
          "a label smoothing of {} is given, expected 0 up to less than 1", opts.label_smoothing);
    ops::CrossEntropy op{x.channels, opts.ignore, class_weights(x, opts), opts.factor, opts.label_smoothing};
    if (labels < 0) labels = target("labels", x.extent, 1, DType::i32);
    const Edge& l = graph_.edges[labels];
    check(l.dtype == DType::i32 && l.channels == 1 && l.extent == x.extent,
          "{}: cross-entropy of {}x{}x{} logits (rows, height, width) wants as many labels of type i32", place(),
          x.extent.n, x.extent.h, x.extent.w);
    return loss(op, {logits, labels});
  }

  /// The same with the binary cross-entropy of every class by itself, see ops::BinaryCrossEntropy. `targets`: an edge of
  /// the shape of the logits, elements 0 … 1, such as target("tags", extent, classes). LossOpts::class_weights are weights
  /// of the positive class; ignored labels and smoothing have no meaning here.
  int binary_cross_entropy(int logits, int targets, const LossOpts& opts = {}) {
    const Edge x = graph_.edges[logits], &t = graph_.edges[targets];
    check_loss(x);
    check(opts.ignore == -1 && opts.label_smoothing == 0,
          "{}: binary cross-entropy ignores elements whose target is negative and has no label smoothing of its own; "
          "write both into the targets",
          place());
    check(t.extent == x.extent && t.channels == x.channels && t.dtype == x.dtype,
          "{}: binary cross-entropy wants a target for each of {}x{}x{}x{} logits, these are {}x{}x{}x{}", place(),
          x.extent.n, x.channels, x.extent.h, x.extent.w, t.extent.n, t.channels, t.extent.h, t.extent.w);
    return loss(ops::BinaryCrossEntropy{x.channels, class_weights(x, opts), opts.factor}, {logits, targets});
  }

 private:
  int loss(const Op& op, std::vector<int> inputs) {
    const int e = record(op, std::move(inputs), sizeof(LossResult) / sizeof(double), {1, 1, 1});
    graph_.edges[e].dtype = DType::f64;
    return e;
  }
  void check_loss(const Edge& logits) const {
    check(logits.routing < 0, "{}: a loss on rows grouped by expert; combine them first", place());
  }
  /// Which of the graph's class weights these are; -1 where there are none.
  int class_weights(const Edge& logits, const LossOpts& opts) {
    if (opts.class_weights.empty()) return -1;
    check(static_cast<int>(opts.class_weights.size()) == logits.channels, "{} class weights are given for {} classes",
          opts.class_weights.size(), logits.channels);
    graph_.class_weights.push_back(opts.class_weights);
    return static_cast<int>(graph_.class_weights.size()) - 1;
  }
};

}  // namespace moecnn
