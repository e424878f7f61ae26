#pragma once
/// \file
/// One class per image.

#include "moecnn/core/bodies.hpp"
#include "moecnn/model/task.hpp"

namespace moecnn::task {

/// Cross-entropy of the logits and the target "labels", i32, one per row and pixel of the logits. Its tally counts top-1
/// and top-5, and wants one label per image; task::Segment is the one for label maps.
class Classify : public Task {
 public:
  Classify(LossOpts loss = {}) : loss_(std::move(loss)) {}

  void losses(Recorder& g, int scores, double factor) const override {
    LossOpts loss = loss_;
    loss.factor *= factor;
    g.cross_entropy(scores, loss);
  }
  std::unique_ptr<Tally> tally() const override;

  const LossOpts& loss() const { return loss_; }

 private:
  LossOpts loss_;
};

}  // namespace moecnn::task

#if MOECNN_BODIES
#include "moecnn/model/classify_impl.hpp"
#endif
