#pragma once
/// \file
/// Objects in boxes.

#include "moecnn/detection/matcher.hpp"
#include "moecnn/model/task.hpp"

namespace moecnn::task {

static_assert(detection::no_object == ops::anchor_of_background && detection::ignored_anchor == ops::anchor_ignored,
              "Matcher makes the targets that the losses read");

/// Focal loss of the class probabilities and box loss of the deltas of a detector with anchors, whose result is one
/// edge of scores per level, [n, anchors · classes, h, w], and then one of deltas per level, [n, anchors · 4, h, w].
/// Program::losses() has the two apart, in this order.
///
/// Targets, of all anchors of an image level by level, in a level in rows of pixels, and at a pixel anchor by anchor:
/// "anchor_class" [n, anchors] of i32 is a class, or ops::anchor_of_background or ops::anchor_ignored; "anchor_deltas"
/// [n, anchors, 4] says for the anchors with a class what the deltas should be.
class Detect : public Task {
 public:
  /// `anchors`: of a pixel.
  explicit Detect(DetectionLossOpts loss = {}, int anchors = 9) : loss_(loss), anchors_(anchors) {}

  /// As torchvision's RetinaNet has it: focal loss without bounds of the probabilities, and L1 per positive anchor.
  static Detect torchvision() { return Detect({.clamp = 0, .corner = 0, .box_divisor = 1}); }

  void losses(Recorder& g, int, double factor) const override {
    const std::vector<int> maps = g.graph().outputs;
    const std::size_t levels = maps.size() / 2;
    check(maps.size() % 2 == 0 && levels > 0,
          "task::Detect wants a network with as many maps of scores as of deltas, but this one's result has {} maps; "
          "wire() of a detector returns DetectionMaps",
          maps.size());
    for (std::size_t l = 0; l < levels; ++l) {
      const Edge &scores = g.graph().edges[maps[l]], &deltas = g.graph().edges[maps[levels + l]];
      check(scores.extent == deltas.extent && scores.channels % anchors_ == 0,
            "level {} of the detector has scores of {}x{}x{}x{} and deltas of {}x{}x{}x{}; expected maps of one size, "
            "and "
            "channels for {} anchors",
            l, scores.extent.n, scores.channels, scores.extent.h, scores.extent.w, deltas.extent.n, deltas.channels,
            deltas.extent.h, deltas.extent.w, anchors_);
    }
    DetectionLossOpts loss = loss_;
    loss.class_factor *= factor, loss.box_factor *= factor;
    const auto half = maps.begin() + static_cast<std::ptrdiff_t>(levels);
    g.focal_loss({maps.begin(), half}, anchors_, loss);
    g.box_loss({half, maps.end()}, anchors_, loss);
  }

  const DetectionLossOpts& loss() const { return loss_; }
  int anchors() const { return anchors_; }

 private:
  DetectionLossOpts loss_;
  int anchors_;
};

}  // namespace moecnn::task
