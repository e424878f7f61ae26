#pragma once
#include "moecnn/backend/reference/common.hpp"
#include "moecnn/backend/reference/product.hpp"

namespace moecnn::reference {

/// y = x Wᵀ + b, one matrix product per copy.
template <class T>
class LinearKernel final : public NodeKernel<T> {
 public:
  LinearKernel(const Graph& g, const Flow& f, int n) : NodeKernel<T>(g, f, n), op_(std::get<ops::Linear>(node_.op)) {}

  NodeNeeds needs() const override {
    NodeNeeds n = this->plain_needs();
    n.keeps_input[0] = this->wants_param(0);
    return n;
  }

  void forward(const StepContext&) override {
    this->for_each_copy([&](int copy, int first, int count) {
      if (count == 0) return;
      MatrixMap<T> y(at.output + 1LL * first * op_.out, count, op_.out);
      y.setZero();
      add_product(x(first, count), w(copy).transpose(), y);
      if (op_.bias) y.rowwise() += ConstMatrixMap<T>(this->param(1, copy), 1, op_.out).row(0);
    });
  }

  void backward(const StepContext&) override {
    this->for_each_copy([&](int copy, int first, int count) {
      const ConstMatrixMap<T> dy(at.output_grad + 1LL * first * op_.out, count, op_.out);
      if (this->wants_param(0)) {
        this->start(this->param_grad(0, copy), 1LL * op_.out * op_.in, this->adds_to_param(0));
        add_product(dy.transpose(), x(first, count), MatrixMap<T>(this->param_grad(0, copy), op_.out, op_.in));
      }
      if (op_.bias && this->wants_param(1)) {
        this->start(this->param_grad(1, copy), op_.out, this->adds_to_param(1));
        if (count > 0) MatrixMap<T>(this->param_grad(1, copy), 1, op_.out) += dy.colwise().sum();
      }
      if (this->wants_input(0) && count > 0) {
        this->start(at.input_grad[0] + 1LL * first * op_.in, 1LL * count * op_.in, this->adds_to_input(0));
        add_product(dy, w(copy), MatrixMap<T>(at.input_grad[0] + 1LL * first * op_.in, count, op_.in));
      }
    });
  }

 private:
  using NodeKernel<T>::at;
  using NodeKernel<T>::node_;

  ConstMatrixMap<T> x(int first, int count) const { return {at.input[0] + 1LL * first * op_.in, count, op_.in}; }
  ConstMatrixMap<T> w(int copy) const { return {this->param(0, copy), op_.out, op_.in}; }

  ops::Linear op_;
};

template <class T>
struct KernelFor<T, ops::Linear> {
  using type = LinearKernel<T>;
};

}  // namespace moecnn::reference
