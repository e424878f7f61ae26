#pragma once
#include "moecnn/backend/host/planes.hpp"

namespace moecnn::host {

/// Where channels lie: those from `first` on of rows with `channels` channels, stored in blocks of `unit`.
template <class T>
struct Channels {
  T* numbers;
  int channels, unit, first = 0;

  /// Those of one channel and one row: every unit-th number from here on.
  T* at(long long row, int channel, long long pixels) const {
    const int c = first + channel;
    return numbers + (row * pieces(channels, unit) + c / unit) * pixels * unit + c % unit;
  }
  /// Channels that lie side by side from this one on.
  int together(int channel) const { return unit - (first + channel) % unit; }
};

/// Copies `count` channels of `rows` rows, or adds them. Whatever orders the two maps have, channels that lie side by
/// side in both move together. What lies beyond the last channel of `to` becomes zero with it.
template <class T>
void move_channels(const Channels<const T>& from, const Channels<T>& to, int count, int rows, long long pixels,
                   bool add) {
  constexpr long long tile = 256;  // pixels that stay in the cache while their channels are gathered
  const long long tiles = (pixels + tile - 1) / tile;
  const bool at_end = !add && to.first + count == to.channels;
  const int beyond = at_end ? pieces(to.channels, to.unit) * to.unit - to.channels : 0;
#pragma omp parallel for schedule(static) if (worth_sharing(rows * pixels * count))
  for (long long i = 0; i < rows * tiles; ++i) {
    const long long row = i / tiles, begin = i % tiles * tile, n = std::min(tile, pixels - begin);
    for (int c = 0, run; c < count; c += run) {
      run = std::min({count - c, from.together(c), to.together(c)});
      const int su = from.unit, du = to.unit;
      const T* s = from.at(row, c, pixels) + begin * su;
      T* d = to.at(row, c, pixels) + begin * du;
      if (run == su && run == du) {
        if (add)
          in_chunks(n * run, [s, d](long long k, int) { d[k] += s[k]; });
        else
          std::copy_n(s, n * run, d);
        continue;
      }
      for (long long p = 0; p < n; ++p, s += su, d += du)
        for (int l = 0; l < run; ++l) d[l] = add ? d[l] + s[l] : s[l];
    }
    if (beyond == 0) continue;
    T* d = to.at(row, count - 1, pixels) + 1 + begin * to.unit;
    for (long long p = 0; p < n; ++p) std::fill_n(d + p * to.unit, beyond, T(0));
  }
}

/// Inputs and result may be stored in different orders.
template <class T>
class ConcatKernel final : public NodeKernel<T> {
 public:
  static constexpr Orders orders = Orders::each;
  ConcatKernel(const Graph& g, const Flow& f, int n, std::vector<int> units = {})
      : NodeKernel<T>(g, f, n), units_(std::move(units)) {
    units_.resize(this->in_.size() + 1, 1);
  }

  void forward(const StepContext&) override {
    for_each_part([&](std::size_t i, int channels, int first) {
      move_channels<T>({at.input[i], channels, units_[i]}, {at.output, out_.channels, units_.back(), first}, channels,
                       this->rows(), out_.extent.pixels(), false);
    });
  }
  void backward(const StepContext&) override {
    for_each_part([&](std::size_t i, int channels, int first) {
      if (this->wants_input(i))
        move_channels<T>({at.output_grad, out_.channels, units_.back(), first}, {at.input_grad[i], channels, units_[i]},
                         channels, this->rows(), out_.extent.pixels(), this->adds_to_input(i));
    });
  }

 private:
  using NodeKernel<T>::at;
  using NodeKernel<T>::out_;
  /// Calls `work(input, its channels, the first of them in the output)`.
  template <class F>
  void for_each_part(const F& work) const {
    int first = 0;
    for (std::size_t i = 0; i < this->in_.size(); ++i) {
      work(i, this->in_[i].channels, first);
      first += this->in_[i].channels;
    }
  }
  std::vector<int> units_;
};

template <class T>
class SliceKernel final : public NodeKernel<T> {
 public:
  static constexpr Orders orders = Orders::each;
  SliceKernel(const Graph& g, const Flow& f, int n, const std::vector<int>& units = {1, 1})
      : NodeKernel<T>(g, f, n), op_(std::get<ops::Slice>(this->node_.op)), in_unit_(units[0]), out_unit_(units[1]) {}

  void forward(const StepContext&) override {
    move_channels<T>({at.input[0], channels(), in_unit_, op_.first}, {at.output, op_.count, out_unit_}, op_.count,
                     this->rows(), pixels(), false);
  }
  void backward(const StepContext&) override {
    T* dx = at.input_grad[0];
    const long long all =
        this->adds_to_input(0) ? 0 : this->rows() * pixels() * pieces(channels(), in_unit_) * in_unit_;
#pragma omp parallel for simd schedule(static) if (worth_sharing(all))
    for (long long i = 0; i < all; ++i) dx[i] = T(0);
    move_channels<T>({at.output_grad, op_.count, out_unit_}, {at.input_grad[0], channels(), in_unit_, op_.first},
                     op_.count, this->rows(), pixels(), true);
  }

 private:
  using NodeKernel<T>::at;
  int channels() const { return this->in_[0].channels; }
  long long pixels() const { return this->out_.extent.pixels(); }
  ops::Slice op_;
  int in_unit_, out_unit_;
};

/// The map and the result are stored in the same order; the factors may lie in another.
template <class T>
class ScaleKernel final : public PlaneKernel<T> {
 public:
  static constexpr Orders orders = Orders::factors;
  ScaleKernel(const Graph& g, const Flow& f, int n, const std::vector<int>& units = {1, 1, 1})
      : PlaneKernel<T>(g, f, n, units[2]), factors_(pieces(this->out_.channels, units[1]) * units[1]) {}

  NodeNeeds needs() const override {
    NodeNeeds n = this->plain_needs();
    n.keeps_input = {this->wants_input(1), this->wants_input(0)};
    n.inplace_forward = 0;
    return n;
  }
  void forward(const StepContext&) override { multiply(at.input[0], at.output, false); }
  void backward(const StepContext&) override {
    if (this->wants_input(0)) multiply(at.output_grad, at.input_grad[0], this->adds_to_input(0));
    if (!this->wants_input(1)) return;
    this->for_each_plane([&](long long plane) {
      const T *x = at.input[0] + plane * this->plane_size(), *dy = at.output_grad + plane * this->plane_size();
      double sums[chunk];
      this->sum_lanes(this->plane_size(), sums, [=](long long i, int) { return x[i] * dy[i]; });
      T* ds = at.input_grad[1] + first_factor(plane);
      const int there = this->channels(plane);
      for (int l = 0; l < there; ++l) this->deliver(ds[l], sums[l], this->adds_to_input(1));
      if (this->first_channel(plane) + there == this->out_.channels && !this->adds_to_input(1))
        std::fill(ds + there, at.input_grad[1] + (plane / this->planes_ + 1) * factors_, T(0));
    });
  }

 private:
  using NodeKernel<T>::at;
  long long first_factor(long long plane) const {
    return plane / this->planes_ * factors_ + this->first_channel(plane);
  }
  void multiply(const T* from, T* to, bool adds) const {
    this->for_each_plane([&](long long plane) {
      const T *x = from + plane * this->plane_size(), *s = at.input[1] + first_factor(plane);
      const auto f = this->repeated(plane, [s](int lane) { return s[lane]; });
      deliver_all(to + plane * this->plane_size(), adds, this->plane_size(),
                  [x, &f](long long i, int j) { return x[i] * f[j]; });
    });
  }
  int factors_;  // stored per row
};

template <class T>
struct KernelFor<T, ops::Concat> {
  using type = ConcatKernel<T>;
};
template <class T>
struct KernelFor<T, ops::Slice> {
  using type = SliceKernel<T>;
};
template <class T>
struct KernelFor<T, ops::Scale> {
  using type = ScaleKernel<T>;
};

}  // namespace moecnn::host
