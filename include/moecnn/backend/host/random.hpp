#pragma once
#include "moecnn/backend/host/planes.hpp"
#include "moecnn/core/dropout_mask.hpp"

namespace moecnn::host {

/// Nothing is stored: the backward pass asks the counter-based generator for the same mask again.
template <class T>
class DropoutKernel final : public PlaneKernel<T> {
 public:
  DropoutKernel(const Graph& g, const Flow& f, int n, int unit = 1)
      : PlaneKernel<T>(g, f, n, unit), op_(std::get<ops::Dropout>(this->node_.op)) {}

  NodeNeeds needs() const override {
    NodeNeeds n = this->plain_needs();
    n.inplace_forward = n.inplace_backward = 0;
    return n;
  }
  void forward(const StepContext& step) override { multiply(step, at.input[0], at.output, false); }
  void backward(const StepContext& step) override {
    multiply(step, at.output_grad, at.input_grad[0], this->adds_to_input(0));
  }

 private:
  using NodeKernel<T>::at;

  /// Everything times what the mask says.
  void multiply(const StepContext& step, const T* from, T* to, bool adds) const {
    const bool on = step.training && !step.noise_off;
    const DropoutMask mask(op_.p, step.seed, op_.stream, step.step);
    const T grown = static_cast<T>(1 / (1 - op_.p));
    const auto factor = [grown](bool kept) { return grown * static_cast<T>(kept); };  // no branch: it would be a guess
    this->for_each_plane([&](long long plane) {
      const long long row = plane / this->planes_, n = this->plane_size();
      const std::uint64_t channel = row * this->out_.channels + this->first_channel(plane);
      const T* x = from + plane * n;
      T* y = to + plane * n;
      if (!on || op_.spatial) {
        const auto f = this->repeated(plane, [&](int lane) { return on ? factor(mask.keeps(channel + lane)) : T(1); });
        return deliver_all(y, adds, n, [x, &f](long long i, int j) { return x[i] * f[j]; });
      }
      T f[16 * chunk];
      const long long pixels = this->out_.extent.pixels(), run = 16 * chunk / this->unit_;
      std::fill(std::begin(f), std::end(f), T(0));
      for (long long p = 0; p < pixels; p += run) {
        const long long count = std::min(run, pixels - p), first = p * this->unit_;
        for (int l = 0; l < this->channels(plane); ++l) {
          T* lane = f + l;
          mask.for_each((channel + l) * pixels + p, (channel + l) * pixels + p + count, [&](std::uint64_t, bool kept) {
            *lane = factor(kept);
            lane += this->unit_;
          });
        }
        deliver_all(y + first, adds, count * this->unit_,
                    [x, first, &f](long long i, int) { return x[first + i] * f[i]; });
      }
    });
  }
  ops::Dropout op_;
};

template <class T>
class RandomScoresKernel final : public NodeKernel<T> {
 public:
  static constexpr Orders orders = Orders::counts;
  RandomScoresKernel(const Graph& g, const Flow& f, int n)
      : NodeKernel<T>(g, f, n), stream_(std::get<ops::RandomScores>(this->node_.op).stream) {}

  void forward(const StepContext& step) override {
    const Rng rng(step.seed, Purpose::random_gate, stream_ + step.step);
    const long long n = 1LL * this->rows() * this->out_.channels;
    for (long long i = 0; i < n; ++i) this->at.output[i] = static_cast<T>(ops::RandomScores::scale * rng.normal(i));
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

}  // namespace moecnn::host
