#pragma once
#include "moecnn/backend/host/kernel_for.hpp"

#include <cmath>

namespace moecnn::host {

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
    n.rebuilds_output = training_ && !op_.residual;
    // Mean and 1/σ of every channel of every copy.
    if (training_) n.saved = {2 * sizeof(double) * static_cast<std::size_t>(op_.channels) * node_.experts};
    if (op_.residual) n.inplace_backward = 1;
    return n;
  }

  void forward(const StepContext& step) override {
    this->for_each_copy([&](int copy, int first, int count) {
      if (count == 0) return;
      for (int c = 0; c < op_.channels; ++c) {
        const Moments now = measures(step) ? take_statistics(copy, first, count, c) : running(copy, c);
        if (training_) saved(copy, c) = now;
        normalise(copy, first, count, c, now);
      }
    });
  }

  void rebuild() override {
    this->for_each_copy([&](int copy, int first, int count) {
      for (int c = 0; c < op_.channels; ++c) normalise(copy, first, count, c, saved(copy, c));
    });
  }

  void backward(const StepContext& step) override {
    this->for_each_copy([&](int copy, int first, int count) {
      for (int c = 0; c < op_.channels; ++c) {
        const Moments before = saved(copy, c);
        double sum = 0, dot = 0;  // Σ dy and Σ dy · x̂
        for_each_plane(first, count, c, [&](long long begin) {
          const T* x = at.input[0] + begin;
          for (int i = 0; i < pixels(); ++i) {
            const double dy = slope(begin + i);
            sum += dy;
            dot += dy * before.normalise(x[i]);
          }
        });
        if (this->wants_param(0)) this->deliver(this->param_grad(0, copy)[c], dot, this->adds_to_param(0));
        if (this->wants_param(1)) this->deliver(this->param_grad(1, copy)[c], sum, this->adds_to_param(1));
        // The running statistics are constants, those of the batch follow its values.
        const double scale = this->param(0, copy)[c] * before.inverse, m = static_cast<double>(count) * pixels();
        const double mean_dy = measures(step) ? sum / m : 0.0, mean_dot = measures(step) ? dot / m : 0.0;
        for_each_plane(first, count, c, [&](long long begin) {
          for (long long i = begin; i < begin + pixels(); ++i) {
            const double dy = slope(i), x_hat = before.normalise(at.input[0][i]);
            if (this->wants_input(0))
              this->deliver(at.input_grad[0][i], scale * (dy - mean_dy - x_hat * mean_dot), this->adds_to_input(0));
            // Last, since it may lie where the output's gradient lies.
            if (op_.residual && this->wants_input(1)) this->deliver(at.input_grad[1][i], dy, this->adds_to_input(1));
          }
        });
      }
    });
  }

 private:
  using NodeKernel<T>::at;
  using NodeKernel<T>::node_;
  using NodeKernel<T>::out_;

  struct Moments {
    double mean, inverse;  ///< inverse = 1 / σ
    double normalise(double x) const { return (x - mean) * inverse; }
  };

  bool measures(const StepContext& step) const { return step.training && !op_.frozen; }
  int pixels() const { return static_cast<int>(out_.extent.pixels()); }
  Moments& saved(int copy, int c) const { return reinterpret_cast<Moments*>(at.saved[0])[copy * op_.channels + c]; }
  Moments running(int copy, int c) const {
    return {this->param(2, copy)[c], 1 / std::sqrt(this->param(3, copy)[c] + op_.eps)};
  }

  void normalise(int copy, int first, int count, int c, const Moments& by) const {
    const double scale = this->param(0, copy)[c] * by.inverse, shift = this->param(1, copy)[c] - by.mean * scale;
    for_each_plane(first, count, c, [&](long long begin) {
      const T *x = at.input[0] + begin, *add = op_.residual ? at.input[1] + begin : nullptr;
      T* y = at.output + begin;
      for (int i = 0; i < pixels(); ++i) {
        const double v = x[i] * scale + shift + (add ? add[i] : T(0));
        y[i] = static_cast<T>(op_.relu && v < 0 ? 0.0 : v);
      }
    });
  }

  /// The moments of the batch; moves the running ones.
  Moments take_statistics(int copy, int first, int count, int c) const {
    const double m = static_cast<double>(count) * pixels();
    double sum = 0, squares = 0;
    for_each_plane(first, count, c, [&](long long begin) {
      for (long long i = begin; i < begin + pixels(); ++i) sum += at.input[0][i];
    });
    const double mean = sum / m;
    for_each_plane(first, count, c, [&](long long begin) {
      for (long long i = begin; i < begin + pixels(); ++i) {
        const double d = at.input[0][i] - mean;
        squares += d * d;
      }
    });
    const double variance = squares / m, unbiased = m > 1 ? squares / (m - 1) : variance;
    const auto move = [&](T& old, double now) { old = static_cast<T>((1 - op_.momentum) * old + op_.momentum * now); };
    move(this->param(2, copy)[c], mean);
    move(this->param(3, copy)[c], unbiased);
    return {mean, 1 / std::sqrt(variance + op_.eps)};
  }

  /// Gradient that reaches the sum before the activation.
  double slope(long long i) const { return op_.relu && !(at.output[i] > T(0)) ? 0.0 : at.output_grad[i]; }

  /// Calls `visit(index of its first pixel)` for the channel's plane in every row.
  template <class F>
  void for_each_plane(int first, int count, int c, const F& visit) const {
    for (int r = first; r < first + count; ++r) visit((1LL * r * op_.channels + c) * pixels());
  }

  ops::BatchNorm op_;
  bool training_;
};

template <class T>
struct KernelFor<T, ops::BatchNorm> {
  using type = BatchNormKernel<T>;
};

}  // namespace moecnn::host
