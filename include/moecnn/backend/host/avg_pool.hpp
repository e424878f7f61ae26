#pragma once
#include "moecnn/backend/host/planes.hpp"

namespace moecnn::host {

/// Means over rectangles of the map, one per output pixel. `Op` says which, see rectangle().
template <class T, class Op>
class MeanKernel final : public PlaneKernel<T> {
 public:
  MeanKernel(const Graph& g, const Flow& f, int n, int unit = 1)
      : PlaneKernel<T>(g, f, n, unit), op_(std::get<Op>(this->node_.op)) {}

  void forward(const StepContext&) override {
    for_each_rectangle([&](auto unit, long long plane, long long pixel, const Rectangle& r) {
      constexpr int u = decltype(unit)::value;
      const T* x = at.input[0] + plane * this->plane_size(in_[0]);
      double sums[u] = {};
      for (int h = r.top; h < r.bottom; ++h)
        for (int w = r.left; w < r.right; ++w)
          for (int l = 0; l < u; ++l) sums[l] += x[(h * in_[0].extent.w + w) * u + l];
      T* y = at.output + plane * this->plane_size() + pixel * u;
      for (int l = 0; l < u; ++l) y[l] = static_cast<T>(sums[l] / r.pixels);
    });
  }
  void backward(const StepContext&) override {
    const long long size = this->plane_size(in_[0]);
    for_each_rectangle([&](auto unit, long long plane, long long pixel, const Rectangle& r) {
      constexpr int u = decltype(unit)::value;
      T* dx = at.input_grad[0] + plane * size;
      if (pixel == 0) this->start(dx, size, this->adds_to_input(0));
      const T* dy = at.output_grad + plane * this->plane_size() + pixel * u;
      T slopes[u];
      for (int l = 0; l < u; ++l) slopes[l] = dy[l] / static_cast<T>(r.pixels);
      for (int h = r.top; h < r.bottom; ++h)
        for (int w = r.left; w < r.right; ++w)
          for (int l = 0; l < u; ++l) dx[(h * in_[0].extent.w + w) * u + l] += slopes[l];
    });
  }

 private:
  using NodeKernel<T>::at;
  using NodeKernel<T>::in_;
  using NodeKernel<T>::out_;

  struct Rectangle {
    int top, bottom, left, right, pixels;  // the ends are one behind; `pixels` is what the sum is divided by
  };
  Rectangle rectangle(const ops::AvgPool& op, int oh, int ow) const {
    const int top = oh * op.stride.h - op.pad.h, left = ow * op.stride.w - op.pad.w;
    Rectangle r{std::max(top, 0), std::min(top + op.kernel.h, in_[0].extent.h), std::max(left, 0),
                std::min(left + op.kernel.w, in_[0].extent.w), op.kernel.h * op.kernel.w};
    if (!op.count_pad) r.pixels = (r.bottom - r.top) * (r.right - r.left);
    return r;
  }
  Rectangle rectangle(const ops::AdaptiveAvgPool& op, int oh, int ow) const {
    const Extent x = in_[0].extent;
    Rectangle r{bin_begin(oh, x.h, op.bins.h), bin_end(oh, x.h, op.bins.h), bin_begin(ow, x.w, op.bins.w),
                bin_end(ow, x.w, op.bins.w), 0};
    r.pixels = (r.bottom - r.top) * (r.right - r.left);
    return r;
  }

  /// Calls `visit(unit, plane, output pixel, rectangle)`; those of one plane in their order, on one thread.
  template <class F>
  void for_each_rectangle(const F& visit) const {
    const Extent y = out_.extent;
    with_unit<T>(this->unit_, [&](auto unit) {
      this->for_each_plane([&](long long plane) {
        for (int oh = 0; oh < y.h; ++oh)
          for (int ow = 0; ow < y.w; ++ow) visit(unit, plane, 1LL * oh * y.w + ow, rectangle(op_, oh, ow));
      });
    });
  }

  Op op_;
};

template <class T>
struct KernelFor<T, ops::AvgPool> {
  using type = MeanKernel<T, ops::AvgPool>;
};
template <class T>
struct KernelFor<T, ops::AdaptiveAvgPool> {
  using type = MeanKernel<T, ops::AdaptiveAvgPool>;
};

}  // namespace moecnn::host
