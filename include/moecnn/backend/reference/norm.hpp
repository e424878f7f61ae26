#pragma once
#include "moecnn/backend/reference/common.hpp"

#include <cmath>

namespace moecnn::reference {

/// Batch normalisation, with residual and ReLU where a pass has fused them. Statistics are sums in double.
template <class T>
class BatchNormKernel final : public NodeKernel<T> {
 public:
  BatchNormKernel(const Graph& g, const Flow& f, int n)
      : NodeKernel<T>(g, f, n), op_(std::get<ops::BatchNorm>(node_.op)), training_(f.training) {}

  NodeNeeds needs() const override {
    NodeNeeds n = this->plain_needs();
    n.keeps_input[0] = 1;
    n.keeps_output = op_.relu;
    // Mean and 1/σ of every channel of every copy.
    if (training_) n.saved = {2 * sizeof(double) * static_cast<std::size_t>(op_.channels) * node_.copies};
    if (op_.residual) n.inplace_backward = 1;
    return n;
  }

  void forward(const StepContext& step) override {
    this->for_each_copy([&](int copy, int first, int count) {
      if (count == 0) return;
      for (int c = 0; c < op_.channels; ++c) {
        double mean = this->param(2, copy)[c], variance = this->param(3, copy)[c];
        if (step.training) {
          const double m = static_cast<double>(count) * pixels();
          double sum = 0, squares = 0;
          for_each_pixel(first, count, c, [&](long long i) { sum += at.input[0][i]; });
          mean = sum / m;
          for_each_pixel(first, count, c, [&](long long i) { squares += (at.input[0][i] - mean) * (at.input[0][i] - mean); });
          variance = squares / m;
          const double unbiased = m > 1 ? squares / (m - 1) : variance;
          move(this->param(2, copy)[c], mean);
          move(this->param(3, copy)[c], unbiased);
        }
        const double inverse = 1 / std::sqrt(variance + op_.eps);
        if (training_) saved(copy, c) = {mean, inverse};
        const double scale = this->param(0, copy)[c] * inverse, shift = this->param(1, copy)[c] - mean * scale;
        for_each_pixel(first, count, c, [&](long long i) {
          const double y = at.input[0][i] * scale + shift + (op_.residual ? at.input[1][i] : T(0));
          at.output[i] = static_cast<T>(op_.relu ? std::max(y, 0.0) : y);
        });
      }
    });
  }

  void backward(const StepContext&) override {
    this->for_each_copy([&](int copy, int first, int count) {
      for (int c = 0; c < op_.channels; ++c) {
        const auto [mean, inverse] = saved(copy, c);
        double sum = 0, dot = 0;  // Σ dy and Σ dy · x̂
        for_each_pixel(first, count, c, [&](long long i) {
          const double dy = slope(i);
          sum += dy;
          dot += dy * (at.input[0][i] - mean) * inverse;
        });
        if (this->wants_param(0)) this->deliver(this->param_grad(0, copy)[c], dot, this->adds_to_param(0));
        if (this->wants_param(1)) this->deliver(this->param_grad(1, copy)[c], sum, this->adds_to_param(1));
        const double m = static_cast<double>(count) * pixels(), scale = this->param(0, copy)[c] * inverse;
        for_each_pixel(first, count, c, [&](long long i) {
          const double dy = slope(i), x_hat = (at.input[0][i] - mean) * inverse;
          if (this->wants_input(0)) this->deliver(at.input_grad[0][i], scale * (dy - sum / m - x_hat * dot / m), this->adds_to_input(0));
          if (op_.residual && this->wants_input(1)) this->deliver(at.input_grad[1][i], dy, this->adds_to_input(1));
        });
      }
    });
  }

 private:
  using NodeKernel<T>::at;
  using NodeKernel<T>::node_;
  using NodeKernel<T>::out_;
  struct Moments {
    double mean, inverse;
  };

  int pixels() const { return static_cast<int>(out_.extent.pixels()); }
  Moments& saved(int copy, int c) const {
    return reinterpret_cast<Moments*>(at.saved[0])[copy * op_.channels + c];
  }
  void move(T& running, double now) const {
    running = static_cast<T>((1 - op_.momentum) * running + op_.momentum * now);
  }
  /// Gradient that reaches the sum before the activation.
  double slope(long long i) const { return op_.relu && !(at.output[i] > T(0)) ? 0.0 : at.output_grad[i]; }

  template <class F>
  void for_each_pixel(int first, int count, int c, const F& visit) const {
    for (int r = first; r < first + count; ++r) {
      const long long begin = (1LL * r * op_.channels + c) * pixels();
      for (long long i = begin; i < begin + pixels(); ++i) visit(i);
    }
  }

  ops::BatchNorm op_;
  bool training_;
};

}  // namespace moecnn::reference
