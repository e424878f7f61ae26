#pragma once
#include "moecnn/backend/reference/common.hpp"

namespace moecnn::reference {

/// Convolution as one matrix product per row and group: the windows of a row become the columns of a matrix
/// [in/groups · kh · kw, h' · w'] ("im2col"), which the weights [out/groups, in/groups · kh · kw] multiply.
template <class T>
class ConvKernel final : public NodeKernel<T> {
 public:
  ConvKernel(const Graph& g, const Flow& f, int n) : NodeKernel<T>(g, f, n), op_(std::get<ops::Conv>(node_.op)) {}

  NodeNeeds needs() const override {
    NodeNeeds n = this->plain_needs();
    n.keeps_input[0] = this->wants_param(0);
    n.scratch_forward = n.scratch_backward = sizeof(T) * static_cast<std::size_t>(window_size()) * pixels();
    return n;
  }

  void forward(const StepContext&) override {
    T* windows = reinterpret_cast<T*>(at.scratch_forward);
    this->for_each_copy([&](int copy, int first, int count) {
      for (int r = first; r < first + count; ++r)
        for (int g = 0; g < op_.groups; ++g) {
          unfold(input_of(at.input[0], r, g), windows);
          MatrixMap<T> y(output_of(at.output, r, g), out_per_group(), pixels());
          y.noalias() = weights(this->param(0, copy), g) * ConstMatrixMap<T>(windows, window_size(), pixels());
          for (int o = 0; o < out_per_group(); ++o) finish(y.row(o).data(), r, g * out_per_group() + o, copy);
        }
    });
  }

  void backward(const StepContext&) override {
    T* windows = reinterpret_cast<T*>(at.scratch_backward);
    this->for_each_copy([&](int copy, int first, int count) {
      if (this->wants_param(0)) this->start(this->param_grad(0, copy), op_.weights(), this->adds_to_param(0));
      if (op_.bias && this->wants_param(1)) this->start(this->param_grad(1, copy), op_.out, this->adds_to_param(1));
      for (int r = first; r < first + count; ++r)
        for (int g = 0; g < op_.groups; ++g) {
          const ConstMatrixMap<T> dy(output_of(at.output_grad, r, g), out_per_group(), pixels());
          if (this->wants_param(0)) {
            unfold(input_of(at.input[0], r, g), windows);
            MatrixMap<T> dw(this->param_grad(0, copy) + g * group_weights(), out_per_group(), window_size());
            dw.noalias() += dy * ConstMatrixMap<T>(windows, window_size(), pixels()).transpose();
          }
          if (op_.bias && this->wants_param(1)) {
            for (int o = 0; o < out_per_group(); ++o)
              this->param_grad(1, copy)[g * out_per_group() + o] += dy.row(o).sum();
          }
          if (this->wants_input(0)) {
            MatrixMap<T> dx(windows, window_size(), pixels());
            dx.noalias() = weights(this->param(0, copy), g).transpose() * dy;
            T* grad = input_of(at.input_grad[0], r, g);
            this->start(grad, in_per_group() * in_[0].extent.pixels(), this->adds_to_input(0));
            fold(windows, grad);
          }
        }
    });
  }

 private:
  using NodeKernel<T>::at;
  using NodeKernel<T>::node_;
  using NodeKernel<T>::in_;
  using NodeKernel<T>::out_;

  int in_per_group() const { return op_.in / op_.groups; }
  int out_per_group() const { return op_.out / op_.groups; }
  int window_size() const { return in_per_group() * op_.kernel.h * op_.kernel.w; }
  int pixels() const { return static_cast<int>(out_.extent.pixels()); }
  long long group_weights() const { return 1LL * out_per_group() * window_size(); }

  template <class P>
  P* input_of(P* x, int row, int group) const {
    return x + (1LL * row * op_.in + group * in_per_group()) * in_[0].extent.pixels();
  }
  template <class P>
  P* output_of(P* y, int row, int group) const {
    return y + (1LL * row * op_.out + group * out_per_group()) * out_.extent.pixels();
  }
  ConstMatrixMap<T> weights(const T* w, int group) const {
    return ConstMatrixMap<T>(w + group * group_weights(), out_per_group(), window_size());
  }

  /// Bias, residual and activation, for one output channel of one row.
  void finish(T* y, int row, int channel, int copy) const {
    const T bias = op_.bias ? this->param(1, copy)[channel] : T(0);
    const T* add = op_.residual ? at.input[1] + (1LL * row * op_.out + channel) * pixels() : nullptr;
    for (int i = 0; i < pixels(); ++i) {
      T v = y[i] + bias + (add ? add[i] : T(0));
      y[i] = op_.relu ? std::max(v, T(0)) : v;
    }
  }

  /// Calls `visit(window element, output pixel, input index or -1 in the padding)`.
  template <class F>
  void for_each_tap(const F& visit) const {
    const Extent x = in_[0].extent, y = out_.extent;
    long long element = 0;
    for (int c = 0; c < in_per_group(); ++c)
      for (int kh = 0; kh < op_.kernel.h; ++kh)
        for (int kw = 0; kw < op_.kernel.w; ++kw, ++element)
          for (int oh = 0; oh < y.h; ++oh) {
            const int ih = oh * op_.stride.h - op_.pad.h + kh * op_.dilation.h;
            for (int ow = 0; ow < y.w; ++ow) {
              const int iw = ow * op_.stride.w - op_.pad.w + kw * op_.dilation.w;
              const bool inside = ih >= 0 && ih < x.h && iw >= 0 && iw < x.w;
              visit(element * pixels() + oh * y.w + ow, inside ? (1LL * c * x.h + ih) * x.w + iw : -1);
            }
          }
  }
  void unfold(const T* x, T* windows) const {
    for_each_tap([&](long long tap, long long i) { windows[tap] = i < 0 ? T(0) : x[i]; });
  }
  void fold(const T* windows, T* dx) const {
    for_each_tap([&](long long tap, long long i) {
      if (i >= 0) dx[i] += windows[tap];
    });
  }

  ops::Conv op_;
};

}  // namespace moecnn::reference
