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

/// Options of a detector's losses; the defaults are those of yhenon/pytorch-retinanet. See ops::FocalLoss and
/// ops::BoxLoss.
struct DetectionLossOpts {
  double alpha = 0.25, gamma = 2;
  double clamp = 1e-4;                      ///< bounds of probabilities; 0: none, for scores that come from a sigmoid
  double corner = 1.0 / 9;                  ///< of smooth L1; 0: plain L1
  double box_divisor = 4;                   ///< of the box loss, per positive anchor
  double class_factor = 1, box_factor = 1;  ///< weights of the two losses in the program's
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

  /// Adds the focal loss of a detector's class probabilities: one edge per level, each with `anchors` anchors per pixel,
  /// and the target "anchor_class" [n, anchors of all levels] of i32. Where all come from a sigmoid, its logits are read
  /// instead, which is exact also for probabilities near 0 and 1.
  int focal_loss(std::vector<int> scores, int anchors, const DetectionLossOpts& opts = {}) {
    check(!scores.empty(), "{}: the focal loss was given no map", place());
    ops::FocalLoss op{.classes = graph_.edges[scores[0]].channels / anchors,
                      .anchors = anchors,
                      .alpha = opts.alpha,
                      .gamma = opts.gamma,
                      .clamp = opts.clamp,
                      .factor = opts.class_factor};
    check(opts.clamp >= 0 && opts.clamp < 0.5 && opts.gamma >= 0 && opts.alpha >= 0 && opts.alpha <= 1,
          "{}: the focal loss wants alpha in 0 … 1, gamma of at least 0 and a clamp in 0 … 1/2, not {}, {} and {}",
          place(), opts.alpha, opts.gamma, opts.clamp);
    const int targets = anchor_classes(scores, anchors, op.classes);
    if (logits_of(scores)) op.logits = true;
    check(op.logits || op.clamp > 0,
          "{}: these probabilities do not come from a sigmoid, and the logarithm of one that is 0 would be infinite; "
          "give "
          "a clamp such as 1e-4",
          place());
    scores.push_back(targets);
    return loss(op, std::move(scores));
  }

  /// Adds the box loss of a detector's deltas, of the same levels, and the targets "anchor_class" and "anchor_deltas"
  /// [n, anchors of all levels, 4].
  int box_loss(std::vector<int> deltas, int anchors, const DetectionLossOpts& opts = {}) {
    check(!deltas.empty(), "{}: the box loss was given no map", place());
    check(opts.corner >= 0 && opts.box_divisor > 0,
          "{}: the box loss wants a corner of at least 0 and a divisor above 0, not {} and {}", place(), opts.corner,
          opts.box_divisor);
    const int classes = anchor_classes(deltas, anchors, 4);
    const Extent all = graph_.edges[classes].extent;
    const int targets = target("anchor_deltas", {all.n, all.w, 4});
    const ops::BoxLoss op{anchors, opts.corner, opts.box_divisor, opts.box_factor};
    deltas.push_back(classes);
    deltas.push_back(targets);
    return loss(op, std::move(deltas));
  }

 private:
  /// The target for all anchors of these levels.
  int anchor_classes(const std::vector<int>& levels, int anchors, int numbers) {
    const int rows = graph_.edges[levels[0]].extent.n;
    long long all = 0;
    for (const int e : levels) {
      const Edge& x = graph_.edges[e];
      check_loss(x);
      check(
          x.extent.n == rows && x.channels == anchors * numbers && numbers >= 1,
          "{}: a level of a detector has {} rows and {} channels, expected {} rows of {} anchors with {} numbers each",
          place(), x.extent.n, x.channels, rows, anchors, numbers);
      all += x.extent.pixels() * anchors;
    }
    return target("anchor_class", {rows, 1, static_cast<int>(all)}, 1, DType::i32);
  }
  /// Replaces probabilities by the logits behind them if all are the results of a sigmoid.
  bool logits_of(std::vector<int>& edges) const {
    std::vector<int> before;
    for (const int e : edges) {
      const Node& n = graph_.nodes[static_cast<std::size_t>(graph_.edges[e].producer)];
      const auto* curve = std::get_if<ops::Activation>(&n.op);
      if (curve && curve->curve == ops::Curve::sigmoid) before.push_back(n.inputs[0]);
    }
    if (before.size() != edges.size()) return false;
    edges = before;
    return true;
  }
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
