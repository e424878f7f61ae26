#pragma once
#include "moecnn/backend/reference/common.hpp"
#include "moecnn/core/dropout_mask.hpp"

namespace moecnn::reference {

/// Nothing is stored: the backward pass asks the counter-based generator for the same mask again.
template <class T>
class DropoutKernel final : public NodeKernel<T> {
 public:
  DropoutKernel(const Graph& g, const Flow& f, int n)
      : NodeKernel<T>(g, f, n), op_(std::get<ops::Dropout>(this->node_.op)) {}

  NodeNeeds needs() const override {
    NodeNeeds n = this->plain_needs();
    n.inplace_forward = n.inplace_backward = 0;
    return n;
  }
  void forward(const StepContext& step) override {
    for_each(step, [&](long long i, T factor) { at.output[i] = at.input[0][i] * factor; });
  }
  void backward(const StepContext& step) override {
    for_each(step, [&](long long i, T factor) {
      this->deliver(at.input_grad[0][i], at.output_grad[i] * factor, this->adds_to_input(0));
    });
  }

 private:
  using NodeKernel<T>::at;
  /// Calls `visit(element, what it is multiplied by)`.
  template <class F>
  void for_each(const StepContext& step, const F& visit) const {
    const long long planes = 1LL * this->rows() * this->out_.channels, pixels = this->out_.extent.pixels();
    if (!step.training || step.noise_off) {
      for (long long i = 0; i < planes * pixels; ++i) visit(i, T(1));
      return;
    }
    const DropoutMask mask(op_.p, step.seed, op_.stream, step.step);
    const T grown = static_cast<T>(1 / (1 - op_.p));
    const long long run = op_.spatial ? pixels : 1;
    mask.for_each(0, planes * pixels / run, [&](std::uint64_t n, bool kept) {
      for (long long i = n * run; i < static_cast<long long>(n + 1) * run; ++i) visit(i, kept ? grown : T(0));
    });
  }
  ops::Dropout op_;
};

template <class T>
class RandomScoresKernel final : public NodeKernel<T> {
 public:
  RandomScoresKernel(const Graph& g, const Flow& f, int n)
      : NodeKernel<T>(g, f, n), stream_(std::get<ops::RandomScores>(this->node_.op).stream) {}

  void forward(const StepContext& step) override {
    const Rng rng(step.seed, Purpose::random_gate, stream_ + step.step);
    const long long n = 1LL * this->rows() * this->out_.channels;
    for (long long i = 0; i < n; ++i) this->at.output[i] = static_cast<T>(rng.normal(i));
  }

 private:
  std::uint64_t stream_;
};

template <class T>
struct KernelFor<T, ops::Dropout> {
  using type = DropoutKernel<T>;
};
template <class T>
struct KernelFor<T, ops::RandomScores> {
  using type = RandomScoresKernel<T>;
};

}  // namespace moecnn::reference
