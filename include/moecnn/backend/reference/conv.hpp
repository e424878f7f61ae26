#pragma once
#include "moecnn/backend/reference/common.hpp"
#include "moecnn/backend/reference/product.hpp"
#include "moecnn/backend/reference/windows.hpp"

namespace moecnn::reference {

/// Convolution as one matrix product per group and handful of rows: their windows become the columns of a matrix
/// [in/groups · kh · kw, rows · h' · w'] ("im2col"), which the weights [out/groups, in/groups · kh · kw] multiply.
template <class T>
class ConvKernel final : public NodeKernel<T> {
 public:
  ConvKernel(const Graph& g, const Flow& f, int n) : NodeKernel<T>(g, f, n), op_(std::get<ops::Conv>(node_.op)) {
    windows_ = {op_.in, op_.groups, op_.kernel, op_.stride, op_.pad, op_.dilation, in_[0].extent, out_.extent};
    rows_at_once_ = static_cast<int>(std::clamp(columns_at_once / out_.extent.pixels(), 1LL, 1LL * out_.extent.n));
  }

  NodeNeeds needs() const override {
    NodeNeeds n = this->plain_needs();
    n.keeps_input[0] = this->wants_param(0);
    // The windows, and the output or its gradient as a matrix with the same columns.
    n.scratch_forward = n.scratch_backward =
        sizeof(T) * static_cast<std::size_t>(window_size() + out_per_group()) * rows_at_once_ * pixels();
    return n;
  }

  void forward(const StepContext&) override {
    this->for_each_block(op_.groups, rows_at_once_, [&](int copy, int first, int rows, int g) {
      T* windows = reinterpret_cast<T*>(at.scratch_forward);
      windows_.unfold(at.input[0], first, rows, g, windows);
      MatrixMap<T> y(windows + 1LL * window_size() * rows * pixels(), out_per_group(), rows * pixels());
      y.setZero();
      add_product(weights(copy, g), ConstMatrixMap<T>(windows, window_size(), rows * pixels()), y);
      for (int r = 0; r < rows; ++r)
        for (int o = 0; o < out_per_group(); ++o)
          finish(y.row(o).data() + r * pixels(), first + r, g * out_per_group() + o, copy);
    });
  }

  void backward(const StepContext&) override {
    const long long row = op_.in * in_[0].extent.pixels();
    this->for_each_copy([&](int copy, int first, int count) {
      if (this->wants_param(0)) this->start(this->param_grad(0, copy), op_.weights(), this->adds_to_param(0));
      if (has_bias_grad()) this->start(this->param_grad(1, copy), op_.out, this->adds_to_param(1));
      if (this->wants_input(0)) this->start(at.input_grad[0] + first * row, count * row, this->adds_to_input(0));
    });
    this->for_each_block(op_.groups, rows_at_once_, [&](int copy, int first, int rows, int g) {
      T* windows = reinterpret_cast<T*>(at.scratch_backward);
      MatrixMap<T> dy(windows + 1LL * window_size() * rows * pixels(), out_per_group(), rows * pixels());
      for (int r = 0; r < rows; ++r)
        dy.middleCols(r * pixels(), pixels()) =
            ConstMatrixMap<T>(output_of(at.output_grad, first + r, g), out_per_group(), pixels());
      if (this->wants_param(0)) {
        windows_.unfold(at.input[0], first, rows, g, windows);
        add_product(dy, ConstMatrixMap<T>(windows, window_size(), dy.cols()).transpose(),
                    MatrixMap<T>(this->param_grad(0, copy) + g * group_weights(), out_per_group(), window_size()));
      }
      if (has_bias_grad())
        for (int o = 0; o < out_per_group(); ++o) this->param_grad(1, copy)[g * out_per_group() + o] += dy.row(o).sum();
      if (this->wants_input(0)) {
        MatrixMap<T> dx(windows, window_size(), dy.cols());
        dx.setZero();
        add_product(weights(copy, g).transpose(), dy, dx);
        windows_.fold(windows, first, rows, g, at.input_grad[0]);
      }
    });
  }

 private:
  using NodeKernel<T>::at;
  using NodeKernel<T>::node_;
  using NodeKernel<T>::in_;
  using NodeKernel<T>::out_;

  /// Small maps share a product, or most of its time would go into reading the weights.
  static constexpr long long columns_at_once = 256;

  int out_per_group() const { return op_.out / op_.groups; }
  int window_size() const { return windows_.size(); }
  int pixels() const { return static_cast<int>(out_.extent.pixels()); }
  long long group_weights() const { return 1LL * out_per_group() * window_size(); }
  bool has_bias_grad() const { return op_.bias && this->wants_param(1); }

  T* output_of(T* y, int row, int group) const {
    return y + (1LL * row * op_.out + group * out_per_group()) * pixels();
  }
  ConstMatrixMap<T> weights(int copy, int group) const {
    return ConstMatrixMap<T>(this->param(0, copy) + group * group_weights(), out_per_group(), window_size());
  }

  /// Writes one output channel of one row: bias, residual and activation on top of the product.
  void finish(const T* product, int row, int channel, int copy) const {
    const T bias = op_.bias ? this->param(1, copy)[channel] : T(0);
    const long long begin = (1LL * row * op_.out + channel) * pixels();
    T* y = at.output + begin;
    for (int i = 0; i < pixels(); ++i) y[i] = product[i] + bias;
    if (op_.residual)
      for (int i = 0; i < pixels(); ++i) y[i] += at.input[1][begin + i];
    if (op_.relu)
      for (int i = 0; i < pixels(); ++i) y[i] = y[i] < T(0) ? T(0) : y[i];
  }

  ops::Conv op_;
  Windows windows_;
  int rows_at_once_ = 1;
};

template <class T>
struct KernelFor<T, ops::Conv> {
  using type = ConvKernel<T>;
};

}  // namespace moecnn::reference
