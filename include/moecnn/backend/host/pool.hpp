#pragma once
#include "moecnn/backend/host/planes.hpp"

namespace moecnn::host {

template <class T>
class GlobalAvgPoolKernel final : public NodeKernel<T> {
 public:
  using NodeKernel<T>::NodeKernel;

  void forward(const StepContext&) override {
    const long long pixels = in_[0].extent.pixels();
    for (long long i = 0; i < planes(); ++i) {
      double sum = 0;
      for (long long p = 0; p < pixels; ++p) sum += at.input[0][i * pixels + p];
      at.output[i] = static_cast<T>(sum / static_cast<double>(pixels));
    }
  }

  void backward(const StepContext&) override {
    const long long pixels = in_[0].extent.pixels();
    for (long long i = 0; i < planes(); ++i)
      for (long long p = 0; p < pixels; ++p)
        this->deliver(at.input_grad[0][i * pixels + p],
                      static_cast<double>(at.output_grad[i]) / static_cast<double>(pixels), this->adds_to_input(0));
  }

 private:
  using NodeKernel<T>::at;
  using NodeKernel<T>::in_;
  long long planes() const { return 1LL * this->rows() * in_[0].channels; }
};

/// Calls `visit(output pixel, largest value, its place in the plane)` for every window of a plane. NaN wins, so that it
/// is seen. Works on many windows of a line at once, tap by tap.
template <class T, class Op, class F>
void for_each_largest(const Op& op, Extent x, Extent y, const T* in, const F& visit) {
  constexpr int run = 256;
  T best[run];
  int where[run];
  for (int oh = 0; oh < y.h; ++oh)
    for (int first = 0; first < y.w; first += run) {
      const int count = std::min(run, y.w - first);
      std::fill_n(best, count, T(0)), std::fill_n(where, count, -1);
      for (int kh = 0; kh < op.kernel.h; ++kh) {
        const int ih = oh * op.stride.h - op.pad.h + kh;
        if (ih < 0 || ih >= x.h) continue;
        for (int kw = 0; kw < op.kernel.w; ++kw) {
          const int step = op.stride.w, left = first * step - op.pad.w + kw;  // column of the first window's tap
          const int begin = left < 0 ? pieces(-left, step) : 0, end = std::min(count, pieces(x.w - left, step));
          const int at = ih * x.w + left;
#pragma omp simd
          for (int j = begin; j < end; ++j) {
            const T v = in[at + j * step];
            const bool wins = (where[j] < 0) | (v > best[j]) | (v != v);
            best[j] = wins ? v : best[j];
            where[j] = wins ? at + j * step : where[j];
          }
        }
      }
      for (int j = 0; j < count; ++j) visit(1LL * oh * y.w + first + j, best[j], where[j]);
    }
}

template <class T>
class MaxPoolKernel final : public PlaneKernel<T> {
 public:
  static constexpr Orders orders = Orders::plain;
  MaxPoolKernel(const Graph& g, const Flow& f, int n)
      : PlaneKernel<T>(g, f, n), op_(std::get<ops::MaxPool>(this->node_.op)), remembers_(f.runs_backward[n]) {}

  NodeNeeds needs() const override {
    NodeNeeds n = this->plain_needs();
    if (remembers_) n.saved = {sizeof(int) * static_cast<std::size_t>(out_.elements())};
    return n;
  }

  void forward(const StepContext&) override {
    this->for_each_plane([&](long long plane) {
      T* y = at.output + plane * this->plane_size();
      int* found = remembers_ ? indices() + plane * this->plane_size() : nullptr;
      for_each_largest(op_, in_[0].extent, out_.extent, at.input[0] + plane * this->plane_size(in_[0]),
                       [=](long long o, T best, int where) {
                         y[o] = best;
                         if (found) found[o] = where;
                       });
    });
  }

  void backward(const StepContext&) override {
    this->for_each_plane([&](long long plane) {
      T* dx = at.input_grad[0] + plane * this->plane_size(in_[0]);
      this->start(dx, this->plane_size(in_[0]), this->adds_to_input(0));
      const long long n = this->plane_size();
      for (long long o = plane * n; o < (plane + 1) * n; ++o) dx[indices()[o]] += at.output_grad[o];
    });
  }

 private:
  using NodeKernel<T>::at;
  using NodeKernel<T>::in_;
  using NodeKernel<T>::out_;
  int* indices() const { return reinterpret_cast<int*>(at.saved[0]); }
  ops::MaxPool op_;
  bool remembers_;  // where the largest values were found
};

template <class T>
class ArgMaxPoolKernel final : public PlaneKernel<T> {
 public:
  static constexpr Orders orders = Orders::plain;
  ArgMaxPoolKernel(const Graph& g, const Flow& f, int n)
      : PlaneKernel<T>(g, f, n), op_(std::get<ops::ArgMaxPool>(this->node_.op)) {}

  void forward(const StepContext&) override {
    this->for_each_plane([&](long long plane) {
      T* y = this->at.output + plane * this->plane_size();
      for_each_largest(op_, this->in_[0].extent, this->out_.extent,
                       this->at.input[0] + plane * this->plane_size(this->in_[0]),
                       [y](long long o, T, int where) { y[o] = static_cast<T>(where); });
    });
  }

 private:
  ops::ArgMaxPool op_;
};

template <class T>
class MaxUnpoolKernel final : public PlaneKernel<T> {
 public:
  using PlaneKernel<T>::PlaneKernel;

  NodeNeeds needs() const override {
    NodeNeeds n = this->plain_needs();
    n.keeps_input[1] = 1;
    return n;
  }
  void forward(const StepContext&) override {
    this->for_each_plane([&](long long plane) {
      T* y = at.output + plane * this->plane_size();
      std::fill_n(y, this->plane_size(), T(0));
      for_each(plane, [&](long long small, long long large) { y[large] = at.input[0][small]; });
    });
  }
  void backward(const StepContext&) override {
    this->for_each_plane([&](long long plane) {
      const T* dy = at.output_grad + plane * this->plane_size();
      for_each(plane, [&](long long small, long long large) {
        this->deliver(at.input_grad[0][small], dy[large], this->adds_to_input(0));
      });
    });
  }

 private:
  using NodeKernel<T>::at;
  /// Calls `visit(element of the values, its place in the plane of the output)`.
  template <class F>
  void for_each(long long plane, const F& visit) const {
    const int u = this->unit_;
    const long long first = plane * this->plane_size(this->in_[0]), end = first + this->plane_size(this->in_[0]);
    for (long long i = first; i < end; i += u)
      for (int l = 0; l < u; ++l) visit(i + l, static_cast<long long>(at.input[1][i + l]) * u + l);
  }
};

template <class T>
struct KernelFor<T, ops::ArgMaxPool> {
  using type = ArgMaxPoolKernel<T>;
};
template <class T>
struct KernelFor<T, ops::MaxUnpool> {
  using type = MaxUnpoolKernel<T>;
};
template <class T>
struct KernelFor<T, ops::GlobalAvgPool> {
  using type = GlobalAvgPoolKernel<T>;
};
template <class T>
struct KernelFor<T, ops::MaxPool> {
  using type = MaxPoolKernel<T>;
};

}  // namespace moecnn::host
