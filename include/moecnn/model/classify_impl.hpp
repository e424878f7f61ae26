#pragma once
#include "moecnn/core/class_scores.hpp"
#include "moecnn/model/classify.hpp"
#include "moecnn/model/program.hpp"

namespace moecnn::task {

namespace detail {

class ClassTally final : public Tally {
 public:
  void add(const Program& program, const Targets& targets) override {
    const int edge = program.graph().outputs[0];
    const Edge& out = program.graph().edges[edge];
    const int classes = out.channels;
    check(out.extent.pixels() == 1,
          "task::Classify counts one label per image, but the network's result has {} × {} pixels; give the model "
          "task::Segment",
          out.extent.h, out.extent.w);
    const auto* labels = targets.get<std::int32_t>("labels");
    logits_.resize(static_cast<std::size_t>(out.elements()));
    program.read(edge, logits_.data());
    check_labels(labels, out.extent.n, classes);
    for (int r = 0; r < out.extent.n; ++r)
      loss_ += cross_entropy_of(logits_.data() + static_cast<std::size_t>(r) * classes, classes, labels[r]);
    top1_ += count_top_k(logits_.data(), labels, out.extent.n, classes, 1);
    top5_ += count_top_k(logits_.data(), labels, out.extent.n, classes, 5);
    images_ += out.extent.n;
  }

  TaskResult result() const override {
    const double n = images_;
    return {loss_ / n, {{"top1", top1_ / n, "top-1"}, {"top5", top5_ / n, "top-5"}}, {}};
  }

 private:
  double loss_ = 0, top1_ = 0, top5_ = 0;
  int images_ = 0;
  std::vector<float> logits_;
};

}  // namespace detail

MOECNN_BODY std::unique_ptr<Tally> Classify::tally() const { return std::make_unique<detail::ClassTally>(); }

}  // namespace moecnn::task
