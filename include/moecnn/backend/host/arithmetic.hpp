#pragma once
/// \file
/// Arithmetic element by element. The order inside a row does not matter, only how many elements it has: padding is zero
/// and stays zero, so every host backend uses these kernels.

#include "moecnn/backend/host/kernel_for.hpp"
#include "moecnn/core/bf16.hpp"

namespace moecnn::host {

/// T may be Bf16: sums and products are floats then, rounded where they are stored.
template <class T>
class ArithmeticKernel : public NodeKernel<T> {
 public:
  static constexpr Orders orders = Orders::rows;
  static constexpr bool takes_bf16 = true;
  /// `row_elements`: stored elements of one row, padding included; 0 = plain layout.
  ArithmeticKernel(const Graph& g, const Flow& f, int n, std::size_t row_elements = 0)
      : NodeKernel<T>(g, f, n),
        row_(row_elements ? static_cast<long long>(row_elements) : this->out_.elements() / this->out_.extent.n) {}

 protected:
  using Number = std::conditional_t<std::is_same_v<T, Bf16>, float, T>;

  /// to[i] = of(a[i], b[i]), or to[i] += … with `adds`, for all elements of the rows in use. `to` may be a or b. (GCC reads
  /// arrays that a lambda holds by gathering; those that it is handed as arguments it reads as vectors.)
  template <class F>
  void write(T* to, bool adds, const T* a, const T* b, const F& of) const {
    const long long n = this->rows() * row_;
    if (adds) {
#pragma omp parallel for simd schedule(static) if (worth_sharing(n))
      for (long long i = 0; i < n; ++i) to[i] = static_cast<T>(to[i] + of(a[i], b[i]));
    } else {
#pragma omp parallel for simd schedule(static) if (worth_sharing(n))
      for (long long i = 0; i < n; ++i) to[i] = static_cast<T>(of(a[i], b[i]));
    }
  }

 private:
  long long row_;
};

template <class T>
class ReluKernel final : public ArithmeticKernel<T> {
 public:
  using ArithmeticKernel<T>::ArithmeticKernel;

  NodeNeeds needs() const override {
    NodeNeeds n = this->plain_needs();
    n.keeps_output = true;
    n.inplace_forward = n.inplace_backward = 0;
    return n;
  }
  void forward(const StepContext&) override {
    // Written so that NaN passes: std::max(NaN, 0) depends on the order of its arguments.
    this->write(at.output, false, at.input[0], at.input[0], [](Number x, Number) { return x < 0 ? Number(0) : x; });
  }
  void backward(const StepContext&) override {
    this->write(at.input_grad[0], this->adds_to_input(0), at.output, at.output_grad,
                [](Number y, Number dy) { return y > 0 ? dy : Number(0); });
  }

 private:
  using typename ArithmeticKernel<T>::Number;
  using NodeKernel<T>::at;
};

template <class T>
class AddKernel final : public ArithmeticKernel<T> {
 public:
  using ArithmeticKernel<T>::ArithmeticKernel;

  NodeNeeds needs() const override {
    NodeNeeds n = this->plain_needs();
    n.inplace_forward = n.inplace_backward = 0;
    return n;
  }
  void forward(const StepContext&) override {
    this->write(at.output, false, at.input[0], at.input[1], [](Number a, Number b) { return a + b; });
  }
  void backward(const StepContext&) override {
    // The first gradient may lie where the output's gradient lies; then it is there already.
    for (const std::size_t j : {0, 1}) {
      if (!this->wants_input(j) || at.input_grad[j] == at.output_grad) continue;
      this->write(at.input_grad[j], this->adds_to_input(j), at.output_grad, at.output_grad,
                  [](Number dy, Number) { return dy; });
    }
  }

 private:
  using typename ArithmeticKernel<T>::Number;
  using NodeKernel<T>::at;
};

template <class T>
class SubtractKernel final : public ArithmeticKernel<T> {
 public:
  using ArithmeticKernel<T>::ArithmeticKernel;

  NodeNeeds needs() const override {
    NodeNeeds n = this->plain_needs();
    n.inplace_forward = n.inplace_backward = 0;
    return n;
  }
  void forward(const StepContext&) override {
    this->write(at.output, false, at.input[0], at.input[1], [](Number a, Number b) { return a - b; });
  }
  void backward(const StepContext&) override {
    const T* dy = at.output_grad;
    // The first gradient may lie where the output's gradient lies; then it is there already.
    if (this->wants_input(0) && at.input_grad[0] != dy)
      this->write(at.input_grad[0], this->adds_to_input(0), dy, dy, [](Number d, Number) { return d; });
    if (this->wants_input(1))
      this->write(at.input_grad[1], this->adds_to_input(1), dy, dy, [](Number d, Number) { return -d; });
  }

 private:
  using typename ArithmeticKernel<T>::Number;
  using NodeKernel<T>::at;
};

template <class T>
class MultiplyKernel final : public ArithmeticKernel<T> {
 public:
  using ArithmeticKernel<T>::ArithmeticKernel;

  NodeNeeds needs() const override {
    NodeNeeds n = this->plain_needs();
    n.keeps_input = {this->wants_input(1), this->wants_input(0)};
    n.inplace_forward = 0;
    return n;
  }
  void forward(const StepContext&) override {
    this->write(at.output, false, at.input[0], at.input[1], [](Number a, Number b) { return a * b; });
  }
  void backward(const StepContext&) override {
    const T* dy = at.output_grad;
    for (const std::size_t j : {0, 1}) {
      const T* other = at.input[1 - j];
      if (this->wants_input(j))
        this->write(at.input_grad[j], this->adds_to_input(j), other, dy, [](Number a, Number b) { return a * b; });
    }
  }

 private:
  using typename ArithmeticKernel<T>::Number;
  using NodeKernel<T>::at;
};

template <class T>
class TimesKernel final : public ArithmeticKernel<T> {
 public:
  TimesKernel(const Graph& g, const Flow& f, int n, std::size_t row_elements = 0)
      : ArithmeticKernel<T>(g, f, n, row_elements),
        factor_(static_cast<Number>(std::get<ops::Times>(this->node_.op).factor)) {}

  NodeNeeds needs() const override {
    NodeNeeds n = this->plain_needs();
    n.inplace_forward = n.inplace_backward = 0;
    return n;
  }
  void forward(const StepContext&) override { multiply(at.input[0], at.output, false); }
  void backward(const StepContext&) override { multiply(at.output_grad, at.input_grad[0], this->adds_to_input(0)); }

 private:
  using typename ArithmeticKernel<T>::Number;
  using NodeKernel<T>::at;
  void multiply(const T* from, T* to, bool adds) const {
    this->write(to, adds, from, from, [f = factor_](Number x, Number) { return f * x; });
  }
  Number factor_;
};

template <class T>
struct KernelFor<T, ops::Relu> {
  using type = ReluKernel<T>;
};
template <class T>
struct KernelFor<T, ops::Add> {
  using type = AddKernel<T>;
};
template <class T>
struct KernelFor<T, ops::Subtract> {
  using type = SubtractKernel<T>;
};
template <class T>
struct KernelFor<T, ops::Multiply> {
  using type = MultiplyKernel<T>;
};
template <class T>
struct KernelFor<T, ops::Times> {
  using type = TimesKernel<T>;
};

}  // namespace moecnn::host
