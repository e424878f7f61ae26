#pragma once
#include "moecnn/backend/host/node_kernel.hpp"
#include "moecnn/backend/onednn/lanes.hpp"

namespace moecnn::onednn {

/// y = x Wᵀ + b on plain rows. Heads and gates are thousandths of a network's work; what counts is that these loops
/// vectorise, run on all threads and never allocate, as the packing of a general matrix product does.
class LinearKernel final : public host::NodeKernel<float> {
 public:
  LinearKernel(const Graph& g, const Flow& f, int n) : NodeKernel(g, f, n), op_(std::get<ops::Linear>(node_.op)) {}

  NodeNeeds needs() const override {
    NodeNeeds n = plain_needs();
    n.keeps_input[0] = wants_param(0);
    return n;
  }

  void forward(const StepContext&) override {
    for_each_copy([&](int copy, int first, int count) {
      const float *w = param(0, copy), *b = op_.bias ? param(1, copy) : nullptr, *x = row(at.input[0], first, op_.in);
      float* y = at.output + 1LL * first * op_.out;
#pragma omp parallel for schedule(static) if (products_worth_sharing(products(count)))
      for (int r = 0; r < count; ++r)
        for (int o = 0; o < op_.out; ++o)
          y[1LL * r * op_.out + o] = dot(row(x, r, op_.in), row(w, o, op_.in), op_.in) + (b ? b[o] : 0.f);
    });
  }

  void backward(const StepContext&) override {
    for_each_copy([&](int copy, int first, int count) {
      const float *dy = row(at.output_grad, first, op_.out), *x = row(at.input[0], first, op_.in), *w = param(0, copy);
      if (wants_param(0)) {
        float* dw = param_grad(0, copy);
#pragma omp parallel for schedule(static) if (products_worth_sharing(products(count)))
        for (int o = 0; o < op_.out; ++o) {
          start(dw + 1LL * o * op_.in, op_.in, adds_to_param(0));
          for (int r = 0; r < count; ++r)
            add_scaled(dw + 1LL * o * op_.in, dy[1LL * r * op_.out + o], row(x, r, op_.in), op_.in);
        }
      }
      if (op_.bias && wants_param(1)) {
        start(param_grad(1, copy), op_.out, adds_to_param(1));
        for (int r = 0; r < count; ++r) add_scaled(param_grad(1, copy), 1.f, row(dy, r, op_.out), op_.out);
      }
      if (wants_input(0)) {
        float* dx = at.input_grad[0] + 1LL * first * op_.in;
#pragma omp parallel for schedule(static) if (products_worth_sharing(products(count)))
        for (int r = 0; r < count; ++r) {
          start(dx + 1LL * r * op_.in, op_.in, adds_to_input(0));
          for (int o = 0; o < op_.out; ++o)
            add_scaled(dx + 1LL * r * op_.in, dy[1LL * r * op_.out + o], row(w, o, op_.in), op_.in);
        }
      }
    });
  }

 private:
  static const float* row(const float* p, int r, int width) { return p + 1LL * r * width; }
  long long products(int count) const { return 1LL * count * op_.in * op_.out; }

  static float dot(const float* a, const float* b, int n) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < n; ++i) sum += a[i] * b[i];
    return sum;
  }
  static void add_scaled(float* y, float a, const float* x, int n) {
#pragma omp simd
    for (int i = 0; i < n; ++i) y[i] += a * x[i];
  }

  ops::Linear op_;
};

}  // namespace moecnn::onednn
