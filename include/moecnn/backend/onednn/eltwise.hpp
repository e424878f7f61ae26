#pragma once
#include "moecnn/backend/onednn/lanes.hpp"
#include "moecnn/backend/onednn/layout.hpp"
#include "moecnn/backend/reference/common.hpp"

namespace moecnn::onednn {

/// An element-wise kernel does not care about the order inside a row, only about how many elements it has: padding is
/// zero and stays zero.
class EltwiseKernel : public reference::NodeKernel<float> {
 public:
  EltwiseKernel(const Graph& g, const Flow& f, int n, bool blocked)
      : NodeKernel(g, f, n),
        row_(out_.extent.pixels() * (blocked ? round_up(out_.channels, channel_block()) : out_.channels)) {}

 protected:
  long long size() const { return rows() * row_; }

  template <class F>
  void for_each(const F& work) const {
    const long long n = size();
#pragma omp parallel for simd schedule(static) if (n > parallel_threshold)
    for (long long i = 0; i < n; ++i) work(i);
  }

 private:
  long long row_;
};

class ReluKernel final : public EltwiseKernel {
 public:
  using EltwiseKernel::EltwiseKernel;

  NodeNeeds needs() const override {
    NodeNeeds n = plain_needs();
    n.keeps_output = true;
    n.inplace_forward = n.inplace_backward = 0;
    return n;
  }
  void forward(const StepContext&) override {
    const float* x = at.input[0];
    float* y = at.output;
    for_each([=](long long i) { y[i] = x[i] < 0.f ? 0.f : x[i]; });
  }
  void backward(const StepContext&) override {
    const float *y = at.output, *dy = at.output_grad;
    float* dx = at.input_grad[0];
    if (input_mode_[0] == GradMode::accumulate)
      for_each([=](long long i) { dx[i] += y[i] > 0.f ? dy[i] : 0.f; });
    else
      for_each([=](long long i) { dx[i] = y[i] > 0.f ? dy[i] : 0.f; });
  }
};

class AddKernel final : public EltwiseKernel {
 public:
  using EltwiseKernel::EltwiseKernel;

  NodeNeeds needs() const override {
    NodeNeeds n = plain_needs();
    n.inplace_forward = n.inplace_backward = 0;
    return n;
  }
  void forward(const StepContext&) override {
    const float *a = at.input[0], *b = at.input[1];
    float* y = at.output;
    for_each([=](long long i) { y[i] = a[i] + b[i]; });
  }
  void backward(const StepContext&) override {
    // The second gradient first: the first one may lie where the output's gradient lies.
    for (const std::size_t j : {1, 0}) {
      const float* dy = at.output_grad;
      float* dx = at.input_grad[j];
      if (!wants_input(j) || dx == dy) continue;
      if (input_mode_[j] == GradMode::accumulate)
        for_each([=](long long i) { dx[i] += dy[i]; });
      else
        for_each([=](long long i) { dx[i] = dy[i]; });
    }
  }
};

}  // namespace moecnn::onednn
