#pragma once
#include "moecnn/backend/reference/common.hpp"

namespace moecnn::reference {

/// Means over rectangles of the map, one per output pixel. `Op` says which, see rectangle().
template <class T, class Op>
class MeanKernel final : public NodeKernel<T> {
 public:
  MeanKernel(const Graph& g, const Flow& f, int n) : NodeKernel<T>(g, f, n), op_(std::get<Op>(this->node_.op)) {}

  void forward(const StepContext&) override {
    for_each_rectangle(
        [&](const T* x, long long o, const Rectangle& r) {
          double sum = 0;
          for (int h = r.top; h < r.bottom; ++h)
            for (int w = r.left; w < r.right; ++w) sum += x[h * in_[0].extent.w + w];
          at.output[o] = static_cast<T>(sum / r.pixels);
        },
        at.input[0]);
  }
  void backward(const StepContext&) override {
    this->start(at.input_grad[0], planes() * in_[0].extent.pixels(), this->adds_to_input(0));
    for_each_rectangle(
        [&](T* dx, long long o, const Rectangle& r) {
          const T slope = static_cast<T>(static_cast<double>(at.output_grad[o]) / r.pixels);
          for (int h = r.top; h < r.bottom; ++h)
            for (int w = r.left; w < r.right; ++w) dx[h * in_[0].extent.w + w] += slope;
        },
        at.input_grad[0]);
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

  long long planes() const { return 1LL * this->rows() * out_.channels; }
  /// Calls `visit(plane of the input, output pixel, rectangle)`.
  template <class F>
  void for_each_rectangle(const F& visit, T* maps) const {
    const Extent y = out_.extent;
    for (long long plane = 0; plane < planes(); ++plane)
      for (int oh = 0; oh < y.h; ++oh)
        for (int ow = 0; ow < y.w; ++ow)
          visit(maps + plane * in_[0].extent.pixels(), (plane * y.h + oh) * y.w + ow, rectangle(op_, oh, ow));
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

}  // namespace moecnn::reference
