#pragma once
#include "moecnn/backend/host/kernel_for.hpp"

#include <limits>

namespace moecnn::host {

/// Images and targets: nothing to compute.
template <class T>
class InputKernel final : public NodeKernel<T> {
 public:
  using NodeKernel<T>::NodeKernel;
  void forward(const StepContext&) override {}
};

template <class T>
class ConstantScoresKernel final : public NodeKernel<T> {
 public:
  static constexpr Orders orders = Orders::counts;
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
struct KernelFor<T, ops::ConstantScores> {
  using type = ConstantScoresKernel<T>;
};

}  // namespace moecnn::host
