#pragma once
#include "moecnn/backend/reference/planes.hpp"

namespace moecnn::reference {

template <class T>
class GlobalAvgPoolKernel final : public NodeKernel<T> {
 public:
  using NodeKernel<T>::NodeKernel;

  void forward(const StepContext&) override {
    const long long pixels = in_[0].extent.pixels();
    for (long long i = 0; i < planes(); ++i) {
      double sum = 0;
      for (long long p = 0; p < pixels; ++p) sum += at.input[0][i * pixels + p];
      at.output[i] = static_cast<T>(sum / pixels);
    }
  }

  void backward(const StepContext&) override {
    const long long pixels = in_[0].extent.pixels();
    for (long long i = 0; i < planes(); ++i)
      for (long long p = 0; p < pixels; ++p)
        this->deliver(at.input_grad[0][i * pixels + p], static_cast<double>(at.output_grad[i]) / pixels,
                      this->adds_to_input(0));
  }

 private:
  using NodeKernel<T>::at;
  using NodeKernel<T>::in_;
  long long planes() const { return 1LL * this->rows() * in_[0].channels; }
};

/// Position of the largest value of an output pixel's window in a plane of the input; NaN wins, so that it is seen.
template <class T, class Op>
int largest_in_window(const Op& op, Extent x, const T* in, int oh, int ow) {
  int best = -1;
  for (int kh = 0; kh < op.kernel.h; ++kh)
    for (int kw = 0; kw < op.kernel.w; ++kw) {
      const int ih = oh * op.stride.h - op.pad.h + kh, iw = ow * op.stride.w - op.pad.w + kw;
      if (ih < 0 || ih >= x.h || iw < 0 || iw >= x.w) continue;
      const int i = ih * x.w + iw;
      if (best < 0 || in[i] > in[best] || in[i] != in[i]) best = i;
    }
  return best;
}

/// Plain order only, as ArgMaxPoolKernel.
template <class T>
class MaxPoolKernel final : public PlaneKernel<T> {
 public:
  MaxPoolKernel(const Graph& g, const Flow& f, int n)
      : PlaneKernel<T>(g, f, n), op_(std::get<ops::MaxPool>(this->node_.op)) {}

  NodeNeeds needs() const override {
    NodeNeeds n = this->plain_needs();
    n.saved = {sizeof(int) * static_cast<std::size_t>(out_.elements())};  // where the largest value was found
    return n;
  }

  void forward(const StepContext&) override {
    const Extent x = in_[0].extent, y = out_.extent;
    this->for_each_plane([&](long long plane) {
      const T* in = at.input[0] + plane * x.pixels();
      for (int oh = 0; oh < y.h; ++oh)
        for (int ow = 0; ow < y.w; ++ow) {
          const int best = largest_in_window(op_, x, in, oh, ow);
          const long long o = plane * y.pixels() + oh * y.w + ow;
          at.output[o] = in[best];
          indices()[o] = best;
        }
    });
  }

  void backward(const StepContext&) override {
    const long long in_pixels = in_[0].extent.pixels(), out_pixels = out_.extent.pixels();
    this->for_each_plane([&](long long plane) {
      T* dx = at.input_grad[0] + plane * in_pixels;
      this->start(dx, in_pixels, this->adds_to_input(0));
      for (long long o = plane * out_pixels; o < (plane + 1) * out_pixels; ++o) dx[indices()[o]] += at.output_grad[o];
    });
  }

 private:
  using NodeKernel<T>::at;
  using NodeKernel<T>::in_;
  using NodeKernel<T>::out_;
  int* indices() const { return reinterpret_cast<int*>(at.saved[0]); }
  ops::MaxPool op_;
};

template <class T>
class ArgMaxPoolKernel final : public PlaneKernel<T> {
 public:
  ArgMaxPoolKernel(const Graph& g, const Flow& f, int n)
      : PlaneKernel<T>(g, f, n), op_(std::get<ops::ArgMaxPool>(this->node_.op)) {}

  void forward(const StepContext&) override {
    const Extent x = this->in_[0].extent, y = this->out_.extent;
    this->for_each_plane([&](long long plane) {
      T* where = this->at.output + plane * y.pixels();
      for (int oh = 0; oh < y.h; ++oh)
        for (int ow = 0; ow < y.w; ++ow)
          *where++ = static_cast<T>(largest_in_window(op_, x, this->at.input[0] + plane * x.pixels(), oh, ow));
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

}  // namespace moecnn::reference
