#pragma once
#include "moecnn/backend/reference/common.hpp"

#include <cmath>

namespace moecnn::reference {

/// Softmax and negative log-likelihood in double, mean over rows; any backend's logits are small enough for that.
template <class T>
class CrossEntropyKernel final : public NodeKernel<T> {
 public:
  using NodeKernel<T>::NodeKernel;

  NodeNeeds needs() const override {
    NodeNeeds n = this->plain_needs();
    n.keeps_input[0] = 1;
    return n;
  }

  void forward(const StepContext&) override {
    double sum = 0;
    for (int r = 0; r < rows(); ++r)
      check(at.labels[r] >= 0 && at.labels[r] < classes(), "row {} has the label {}, the network has classes 0 … {}", r,
            at.labels[r], classes() - 1);
    for (int r = 0; r < rows(); ++r) sum += log_sum_exp(r) - x(r)[at.labels[r]];
    *at.loss = sum / rows();
    at.output[0] = static_cast<T>(*at.loss);
  }

  void backward(const StepContext&) override {
    for (int r = 0; r < rows(); ++r) {
      const double log_z = log_sum_exp(r);
      T* dx = at.input_grad[0] + 1LL * r * classes();
      for (int c = 0; c < classes(); ++c) {
        const double slope = (std::exp(x(r)[c] - log_z) - (c == at.labels[r])) / rows();
        this->deliver(dx[c], slope, this->adds_to_input(0));
      }
    }
  }

 private:
  using NodeKernel<T>::at;
  int rows() const { return this->in_[0].extent.n; }
  int classes() const { return this->in_[0].channels; }
  const T* x(int r) const { return at.input[0] + 1LL * r * classes(); }
  double log_sum_exp(int r) const {
    double top = x(r)[0], sum = 0;
    for (int c = 1; c < classes(); ++c) top = std::max<double>(top, x(r)[c]);
    for (int c = 0; c < classes(); ++c) sum += std::exp(x(r)[c] - top);
    return top + std::log(sum);
  }
};

template <class T>
struct KernelFor<T, ops::CrossEntropy> {
  using type = CrossEntropyKernel<T>;
};

}  // namespace moecnn::reference
