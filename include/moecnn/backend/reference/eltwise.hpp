#pragma once
#include "moecnn/backend/reference/common.hpp"

#include <limits>

namespace moecnn::reference {

/// The images: nothing to compute.
template <class T>
class InputKernel final : public NodeKernel<T> {
 public:
  using NodeKernel<T>::NodeKernel;
  void forward(const StepContext&) override {}
};

template <class T>
class ReluKernel final : public NodeKernel<T> {
 public:
  using NodeKernel<T>::NodeKernel;

  NodeNeeds needs() const override {
    NodeNeeds n = this->plain_needs();
    n.keeps_output = true;
    n.inplace_forward = n.inplace_backward = 0;
    return n;
  }
  void forward(const StepContext&) override {
    // Written so that NaN passes: std::max(NaN, 0) depends on the order of its arguments.
    for (long long i = 0; i < this->size(); ++i) at.output[i] = at.input[0][i] < T(0) ? T(0) : at.input[0][i];
  }
  void backward(const StepContext&) override {
    for (long long i = 0; i < this->size(); ++i) {
      const T dy = at.output[i] > T(0) ? at.output_grad[i] : T(0);
      this->deliver(at.input_grad[0][i], dy, this->adds_to_input(0));
    }
  }

 private:
  using NodeKernel<T>::at;
};

template <class T>
class AddKernel final : public NodeKernel<T> {
 public:
  using NodeKernel<T>::NodeKernel;

  NodeNeeds needs() const override {
    NodeNeeds n = this->plain_needs();
    n.inplace_forward = n.inplace_backward = 0;
    return n;
  }
  void forward(const StepContext&) override {
    for (long long i = 0; i < this->size(); ++i) at.output[i] = at.input[0][i] + at.input[1][i];
  }
  void backward(const StepContext&) override {
    // The first gradient may lie where the output's gradient lies; then it is there already.
    for (std::size_t j : {0, 1}) {
      if (!this->wants_input(j) || at.input_grad[j] == at.output_grad) continue;
      for (long long i = 0; i < this->size(); ++i)
        this->deliver(at.input_grad[j][i], at.output_grad[i], this->adds_to_input(j));
    }
  }

 private:
  using NodeKernel<T>::at;
};

template <class T>
class ConstantScoresKernel final : public NodeKernel<T> {
 public:
  using NodeKernel<T>::NodeKernel;
  void forward(const StepContext&) override {
    const int experts = this->out_.channels, only = std::get<ops::ConstantScores>(this->node_.op).expert;
    for (int r = 0; r < this->rows(); ++r)
      for (int e = 0; e < experts; ++e)
        this->at.output[1LL * r * experts + e] = only < 0 || e == only ? T(0) : -std::numeric_limits<T>::infinity();
  }
};

template <class T>
struct KernelFor<T, ops::Input> {
  using type = InputKernel<T>;
};
template <class T>
struct KernelFor<T, ops::Relu> {
  using type = ReluKernel<T>;
};
template <class T>
struct KernelFor<T, ops::Add> {
  using type = AddKernel<T>;
};
template <class T>
struct KernelFor<T, ops::ConstantScores> {
  using type = ConstantScoresKernel<T>;
};

}  // namespace moecnn::reference
