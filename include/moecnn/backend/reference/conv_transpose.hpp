#pragma once
#include "moecnn/backend/reference/common.hpp"
#include "moecnn/backend/reference/product.hpp"
#include "moecnn/backend/reference/windows.hpp"

namespace moecnn::reference {

/// Transposed convolution: the same matrices as the convolution from the output to the input has, in the other
/// direction. Weights [in/groups, out/groups · kh · kw] per group.
template <class T>
class ConvTransposeKernel final : public NodeKernel<T> {
 public:
  ConvTransposeKernel(const Graph& g, const Flow& f, int n)
      : NodeKernel<T>(g, f, n), op_(std::get<ops::ConvTranspose>(node_.op)) {
    windows_ = {op_.out, op_.groups, op_.kernel, op_.stride, op_.pad, op_.dilation, out_.extent, in_[0].extent};
    rows_at_once_ = static_cast<int>(std::clamp(columns_at_once / pixels(), 1LL, 1LL * out_.extent.n));
  }

  NodeNeeds needs() const override {
    NodeNeeds n = this->plain_needs();
    n.keeps_input[0] = this->wants_param(0);
    // The windows of the output, and the input or its gradient as a matrix with the same columns.
    n.scratch_forward = n.scratch_backward =
        sizeof(T) * static_cast<std::size_t>(windows_.size() + in_per_group()) * rows_at_once_ * pixels();
    return n;
  }

  void forward(const StepContext&) override {
    const long long out_pixels = out_.extent.pixels();
    this->for_each_copy([&](int copy, int first, int count) {
      for (long long plane = 1LL * first * op_.out; plane < 1LL * (first + count) * op_.out; ++plane)
        std::fill_n(at.output + plane * out_pixels, out_pixels,
                    op_.bias ? this->param(1, copy)[plane % op_.out] : T(0));
    });
    this->for_each_block(op_.groups, rows_at_once_, [&](int copy, int first, int rows, int g) {
      T* windows = reinterpret_cast<T*>(at.scratch_forward);
      MatrixMap<T> w(windows, windows_.size(), rows * pixels());
      w.setZero();
      add_product(weights(copy, g).transpose(), columns(at.scratch_forward, first, rows, g), w);
      windows_.fold(windows, first, rows, g, at.output);
    });
  }

  void backward(const StepContext&) override {
    this->for_each_copy([&](int copy, int first, int count) {
      if (this->wants_param(0)) this->start(this->param_grad(0, copy), op_.weights(), this->adds_to_param(0));
      if (op_.bias && this->wants_param(1)) {
        this->start(this->param_grad(1, copy), op_.out, this->adds_to_param(1));
        for (long long plane = 1LL * first * op_.out; plane < 1LL * (first + count) * op_.out; ++plane)
          this->param_grad(1, copy)[plane % op_.out] +=
              ConstMatrixMap<T>(at.output_grad + plane * out_.extent.pixels(), 1, out_.extent.pixels()).sum();
      }
    });
    this->for_each_block(op_.groups, rows_at_once_, [&](int copy, int first, int rows, int g) {
      T* windows = reinterpret_cast<T*>(at.scratch_backward);
      windows_.unfold(at.output_grad, first, rows, g, windows);
      const ConstMatrixMap<T> dy(windows, windows_.size(), rows * pixels());
      if (this->wants_param(0)) {
        MatrixMap<T> dw(this->param_grad(0, copy) + g * group_weights(), in_per_group(), windows_.size());
        add_product(columns(at.scratch_backward, first, rows, g), dy.transpose(), dw);
      }
      if (this->wants_input(0)) {
        MatrixMap<T> dx(windows + dy.size(), in_per_group(), rows * pixels());
        dx.setZero();
        add_product(weights(copy, g), dy, dx);
        for (int r = 0; r < rows; ++r) {
          MatrixMap<T> to(input_of(at.input_grad[0], first + r, g), in_per_group(), pixels());
          if (this->adds_to_input(0))
            to += dx.middleCols(r * pixels(), pixels());
          else
            to = dx.middleCols(r * pixels(), pixels());
        }
      }
    });
  }

 private:
  using NodeKernel<T>::at;
  using NodeKernel<T>::node_;
  using NodeKernel<T>::in_;
  using NodeKernel<T>::out_;

  static constexpr long long columns_at_once = 256;

  int in_per_group() const { return op_.in / op_.groups; }
  int pixels() const { return static_cast<int>(in_[0].extent.pixels()); }
  long long group_weights() const { return 1LL * in_per_group() * windows_.size(); }
  T* input_of(T* x, int row, int group) const { return x + (1LL * row * op_.in + group * in_per_group()) * pixels(); }
  ConstMatrixMap<T> weights(int copy, int group) const {
    return ConstMatrixMap<T>(this->param(0, copy) + group * group_weights(), in_per_group(), windows_.size());
  }

  /// Rows of the input side by side, behind the windows in the scratch memory.
  ConstMatrixMap<T> columns(std::byte* scratch, int first, int rows, int group) const {
    T* to = reinterpret_cast<T*>(scratch) + 1LL * windows_.size() * rows * pixels();
    MatrixMap<T> x(to, in_per_group(), rows * pixels());
    for (int r = 0; r < rows; ++r)
      x.middleCols(r * pixels(), pixels()) =
          ConstMatrixMap<T>(input_of(at.input[0], first + r, group), in_per_group(), pixels());
    return ConstMatrixMap<T>(to, in_per_group(), rows * pixels());
  }

  ops::ConvTranspose op_;
  Windows windows_;
  int rows_at_once_ = 1;
};

template <class T>
struct KernelFor<T, ops::ConvTranspose> {
  using type = ConvTransposeKernel<T>;
};

}  // namespace moecnn::reference
