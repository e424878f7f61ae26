#pragma once
#include "moecnn/backend/reference/common.hpp"

#include <cmath>

namespace moecnn::reference {

/// Softmax and negative log-likelihood in double. Pixels are many, so threads share them; sums are taken over stretches
/// of pixels that do not depend on the number of threads.
template <class T>
class CrossEntropyKernel final : public NodeKernel<T> {
 public:
  CrossEntropyKernel(const Graph& g, const Flow& f, int n)
      : NodeKernel<T>(g, f, n), op_(std::get<ops::CrossEntropy>(this->node_.op)) {
    if (op_.class_weights >= 0) weights_ = g.class_weights[op_.class_weights];
  }

  NodeNeeds needs() const override {
    NodeNeeds n = this->plain_needs();
    n.keeps_input[0] = 1;
    n.scratch_forward = 2 * sizeof(double) * static_cast<std::size_t>(stretches());  // loss and weight of each
    return n;
  }

  void forward(const StepContext&) override {
    check_labels();
    double* sums = reinterpret_cast<double*>(at.scratch_forward);
#pragma omp parallel for schedule(static) if (parallel())
    for (long long s = 0; s < stretches(); ++s) {
      double loss = 0, weight = 0;
      for_each_pixel(s, [&](long long i, const T* x) {
        const int label = at.labels[i];
        if (label == op_.ignore) return;
        loss += weight_of(label) * (log_sum_exp(x) - x[label * pixels()]);
        weight += weight_of(label);
      });
      sums[2 * s] = loss, sums[2 * s + 1] = weight;
    }
    double loss = 0;
    weight_ = 0;
    for (long long s = 0; s < stretches(); ++s) loss += sums[2 * s], weight_ += sums[2 * s + 1];
    *at.loss = weight_ > 0 ? loss / weight_ : 0;
    at.output[0] = static_cast<T>(op_.factor * *at.loss);
  }

  void backward(const StepContext&) override {
    const bool adds = this->adds_to_input(0);
#pragma omp parallel for schedule(static) if (parallel())
    for (long long s = 0; s < stretches(); ++s)
      for_each_pixel(s, [&](long long i, const T* x) {
        const int label = at.labels[i];
        T* dx = at.input_grad[0] + (x - at.input[0]);
        const double log_z = label == op_.ignore ? 0 : log_sum_exp(x);
        const double scale = label == op_.ignore || weight_ <= 0 ? 0 : op_.factor * weight_of(label) / weight_;
        for (int c = 0; c < classes(); ++c) {
          const double slope = scale == 0 ? 0 : (std::exp(x[c * pixels()] - log_z) - (c == label)) * scale;
          this->deliver(dx[c * pixels()], slope, adds);
        }
      });
  }

 private:
  using NodeKernel<T>::at;
  static constexpr long long stretch = 512;

  long long pixels() const { return this->in_[0].extent.pixels(); }
  long long all_pixels() const { return this->in_[0].extent.n * pixels(); }
  long long stretches() const { return (all_pixels() + stretch - 1) / stretch; }
  bool parallel() const { return all_pixels() * classes() > 16 * 1024; }
  int classes() const { return this->in_[0].channels; }
  double weight_of(int label) const { return weights_.empty() ? 1.0 : weights_[label]; }

  /// Calls `visit(number of the pixel, its logits)`; the logit of class c is x[c · pixels()].
  template <class F>
  void for_each_pixel(long long s, const F& visit) const {
    for (long long i = s * stretch; i < std::min((s + 1) * stretch, all_pixels()); ++i)
      visit(i, at.input[0] + i / pixels() * classes() * pixels() + i % pixels());
  }

  double log_sum_exp(const T* x) const {
    double top = *x, sum = 0;
    for (int c = 1; c < classes(); ++c) top = std::max<double>(top, x[c * pixels()]);
    for (int c = 0; c < classes(); ++c) sum += std::exp(x[c * pixels()] - top);
    return top + std::log(sum);
  }

  void check_labels() const {
    for (long long i = 0; i < all_pixels(); ++i) {
      const int label = at.labels[i];
      if ((label >= 0 && label < classes()) || (label == op_.ignore && op_.ignore != -1)) [[likely]]
        continue;
      if (pixels() == 1) fail("row {} has the label {}, the network has classes 0 … {}", i, label, classes() - 1);
      fail("row {}, pixel {} has the label {}, the network has classes 0 … {}{}", i / pixels(), i % pixels(), label,
           classes() - 1, op_.ignore == -1 ? std::string() : formatted(" and ignores {}", op_.ignore));
    }
  }

  ops::CrossEntropy op_;
  std::vector<double> weights_;
  double weight_ = 0;  // of all labels of the last forward pass
};

template <class T>
struct KernelFor<T, ops::CrossEntropy> {
  using type = CrossEntropyKernel<T>;
};

}  // namespace moecnn::reference
