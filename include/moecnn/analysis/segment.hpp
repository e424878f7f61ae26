#pragma once
/// \file
/// One class per pixel.

#include "moecnn/analysis/confusion.hpp"
#include "moecnn/analysis/read_maps.hpp"
#include "moecnn/model/classify.hpp"
#include "moecnn/train/evaluate.hpp"

namespace moecnn::analysis {

/// "mean_iou" and "pixel_accuracy".
inline std::vector<Score> scores_of(const Confusion& c) {
  return {{"mean_iou", c.mean_iou(), "mIoU"}, {"pixel_accuracy", c.pixel_accuracy(), "pixels"}};
}

/// Counts pixels at the size of the label maps, to which the logits are resized.
class SegmentTally final : public Tally {
 public:
  /// `ignored`: the label that counts nowhere; < 0: there is none.
  explicit SegmentTally(int ignored) : ignored_(ignored) {}

  void add(const Program& program, const Targets& targets) override {
    const int edge = program.graph().outputs[0];
    const Edge& out = program.graph().edges[edge];
    const auto* labels = targets.get<std::int32_t>("labels");
    Size2 to = targets.find("labels")->size;
    if (to == Size2(1)) to = {out.extent.h, out.extent.w};
    check_labels(labels, out.extent.n, out.channels, static_cast<long long>(to.h) * to.w, ignored_);
    logits_.resize(static_cast<std::size_t>(out.elements()));
    program.read(edge, logits_.data());
    read_maps(logits_.data(), out.extent, out.channels, labels, to, ignored_, reading_);
    if (confusion_.classes() != out.channels) confusion_ = Confusion(out.channels, ignored_);
    confusion_.add(labels, reading_.predicted.data(), reading_.predicted.size());
    loss_ += reading_.loss, labelled_ += reading_.labelled;
  }

  TaskResult result() const override { return {loss(), scores_of(confusion_), confusion_.ious()}; }
  /// Mean cross-entropy of the pixels that have a label.
  double loss() const { return labelled_ > 0 ? loss_ / static_cast<double>(labelled_) : 0; }
  const Confusion& confusion() const { return confusion_; }
  /// The classes of the last batch's pixels, at the size of the label maps.
  const std::uint8_t* predicted() const { return reading_.predicted.data(); }

 private:
  int ignored_;
  Confusion confusion_{1};
  MapReading reading_;
  std::vector<float> logits_;
  double loss_ = 0;
  long long labelled_ = 0;
};

}  // namespace moecnn::analysis

namespace moecnn::task {

/// Cross-entropy per pixel. The tally counts mean intersection over union and right pixels, at the size of the label maps,
/// which may be larger than the network's result.
class Segment final : public Classify {
 public:
  Segment(LossOpts loss = {.ignore = data::ignore_label}) : Classify(std::move(loss)) {}
  std::unique_ptr<Tally> tally() const override { return std::make_unique<analysis::SegmentTally>(loss().ignore); }
};

}  // namespace moecnn::task
