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

  /// y_i = f(y_i, a_i, b_i). y may be a or b.
  template <class F>
  void for_each(float* y, const float* a, const float* b, const F& f) const {
    const long long n = size();
#pragma omp parallel for simd schedule(static) if (worth_sharing(n))
    for (long long i = 0; i < n; ++i) y[i] = f(y[i], a[i], b[i]);
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
    for_each(at.output, at.input[0], at.input[0], [](float, float x, float) { return x < 0.f ? 0.f : x; });
  }
  void backward(const StepContext&) override {
    if (adds_to_input(0))
      for_each(at.input_grad[0], at.output, at.output_grad,
               [](float dx, float y, float dy) { return dx + (y > 0.f ? dy : 0.f); });
    else
      for_each(at.input_grad[0], at.output, at.output_grad,
               [](float, float y, float dy) { return y > 0.f ? dy : 0.f; });
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
    for_each(at.output, at.input[0], at.input[1], [](float, float a, float b) { return a + b; });
  }
  void backward(const StepContext&) override {
    // The first gradient may lie where the output's gradient lies; then it is there already.
    for (const std::size_t j : {0, 1}) {
      if (!wants_input(j) || at.input_grad[j] == at.output_grad) continue;
      if (adds_to_input(j))
        for_each(at.input_grad[j], at.output_grad, at.output_grad, [](float dx, float dy, float) { return dx + dy; });
      else
        for_each(at.input_grad[j], at.output_grad, at.output_grad, [](float, float dy, float) { return dy; });
    }
  }
};

}  // namespace moecnn::onednn
