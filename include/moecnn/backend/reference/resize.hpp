#pragma once
#include "moecnn/backend/reference/common.hpp"
#include "moecnn/core/sampling.hpp"

namespace moecnn::reference {

/// Every output pixel is a weighted mean of up to four of the input.
template <class T>
class ResizeKernel final : public NodeKernel<T> {
 public:
  ResizeKernel(const Graph& g, const Flow& f, int n) : NodeKernel<T>(g, f, n) {
    const auto& op = std::get<ops::Resize>(this->node_.op);
    const auto taps = [&](int in, int out) {
      std::vector<Tap> list;
      for (int i = 0; i < out; ++i) {
        const int nearest = nearest_source(i, in, out);
        list.push_back(op.mode == ops::Sampling::nearest ? Tap{nearest, nearest, 0}
                                                         : bilinear_tap(i, in, out, op.align_corners));
      }
      return list;
    };
    rows_of_ = taps(in_[0].extent.h, out_.extent.h);
    columns_of_ = taps(in_[0].extent.w, out_.extent.w);
  }

  void forward(const StepContext&) override {
    for_each_pixel([&](long long in, long long out, const Tap& y, const Tap& x) {
      const T* p = at.input[0] + in;
      const int w = in_[0].extent.w;
      // A tap of weight 0 is not read, so that what lies there (infinity, NaN) does not matter.
      const auto line = [&](const T* l) { return x.t == 0 ? l[x.lo] : (1 - x.t) * l[x.lo] + x.t * l[x.hi]; };
      at.output[out] =
          static_cast<T>(y.t == 0 ? line(p + y.lo * w) : (1 - y.t) * line(p + y.lo * w) + y.t * line(p + y.hi * w));
    });
  }
  void backward(const StepContext&) override {
    this->start(at.input_grad[0], planes() * in_[0].extent.pixels(), this->adds_to_input(0));
    for_each_pixel([&](long long in, long long out, const Tap& y, const Tap& x) {
      T* p = at.input_grad[0] + in;
      const int w = in_[0].extent.w;
      const double dy = at.output_grad[out];
      const auto add = [&](int row, int column, double weight) {
        if (weight != 0) p[row * w + column] += static_cast<T>(weight * dy);
      };
      add(y.lo, x.lo, (1 - y.t) * (1 - x.t)), add(y.lo, x.hi, (1 - y.t) * x.t);
      add(y.hi, x.lo, y.t * (1 - x.t)), add(y.hi, x.hi, y.t * x.t);
    });
  }

 private:
  using NodeKernel<T>::at;
  using NodeKernel<T>::in_;
  using NodeKernel<T>::out_;
  long long planes() const { return 1LL * this->rows() * out_.channels; }

  /// Calls `visit(where the input's plane begins, output pixel, tap of its row, tap of its column)`.
  template <class F>
  void for_each_pixel(const F& visit) const {
    long long out = 0;
    for (long long plane = 0; plane < planes(); ++plane)
      for (const Tap& y : rows_of_)
        for (const Tap& x : columns_of_) visit(plane * in_[0].extent.pixels(), out++, y, x);
  }

  std::vector<Tap> rows_of_, columns_of_;
};

/// Copies what the window and the map have in common.
template <class T>
class WindowKernel final : public NodeKernel<T> {
 public:
  WindowKernel(const Graph& g, const Flow& f, int n)
      : NodeKernel<T>(g, f, n), op_(std::get<ops::Window>(this->node_.op)) {}

  void forward(const StepContext&) override {
    std::fill_n(at.output, planes() * this->out_.extent.pixels(), T(0));
    for_each_line([&](long long in, long long out, int n) { std::copy_n(at.input[0] + in, n, at.output + out); });
  }
  void backward(const StepContext&) override {
    this->start(at.input_grad[0], planes() * this->in_[0].extent.pixels(), this->adds_to_input(0));
    for_each_line([&](long long in, long long out, int n) {
      for (int i = 0; i < n; ++i) at.input_grad[0][in + i] += at.output_grad[out + i];
    });
  }

 private:
  using NodeKernel<T>::at;
  long long planes() const { return 1LL * this->rows() * this->out_.channels; }
  /// Calls `visit(first element of the input, of the output, elements)`.
  template <class F>
  void for_each_line(const F& visit) const {
    const Extent x = this->in_[0].extent, y = this->out_.extent;
    const int first = std::max(0, -op_.left), last = std::min(y.w, x.w - op_.left);
    for (long long plane = 0; plane < planes() && first < last; ++plane)
      for (int row = std::max(0, -op_.top); row < std::min(y.h, x.h - op_.top); ++row)
        visit((plane * x.h + row + op_.top) * x.w + op_.left + first, (plane * y.h + row) * y.w + first, last - first);
  }
  ops::Window op_;
};

template <class T>
struct KernelFor<T, ops::Resize> {
  using type = ResizeKernel<T>;
};
template <class T>
struct KernelFor<T, ops::Window> {
  using type = WindowKernel<T>;
};

}  // namespace moecnn::reference
