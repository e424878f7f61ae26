#pragma once
#include "moecnn/backend/host/convert_rows.hpp"
#include "moecnn/backend/host/kernel_for.hpp"

namespace moecnn::host {

/// ops::Cast. It does not care about the order of elements: both edges are stored in the same one. The gradient goes back
/// in the input's type.
class CastKernel final : public NodeKernel<std::byte> {
 public:
  static constexpr Orders orders = Orders::rows;
  /// `row_elements`: stored elements of one row, padding included; 0 = plain layout.
  CastKernel(const Graph& g, const Flow& f, int n, std::size_t row_elements = 0)
      : NodeKernel(g, f, n),
        row_(row_elements ? row_elements : static_cast<std::size_t>(out_.elements() / out_.extent.n)) {}

  void forward(const StepContext&) override { copy(at.input[0], in_[0].dtype, at.output, out_.dtype); }

  void backward(const StepContext&) override {
    if (!adds_to_input(0)) return copy(at.output_grad, out_.dtype, at.input_grad[0], in_[0].dtype);
    with_float(out_.dtype, [&]<class From>() { with_float(in_[0].dtype, [&]<class To>() { add<From, To>(); }); });
  }

 private:
  std::size_t elements() const { return static_cast<std::size_t>(rows()) * row_; }

  void copy(const void* from, DType f, void* to, DType t) const { convert_rows(from, f, to, t, elements()); }
  template <class From, class To>
  void add() const {
    const auto* x = reinterpret_cast<const From*>(at.output_grad);
    auto* y = reinterpret_cast<To*>(at.input_grad[0]);
    const auto n = static_cast<long long>(elements());
#pragma omp parallel for schedule(static) if (worth_sharing(n))
    for (long long i = 0; i < n; ++i) y[i] = static_cast<To>(static_cast<double>(y[i]) + static_cast<double>(x[i]));
  }

  std::size_t row_;
};

template <class T>
struct KernelFor<T, ops::Cast> {
  using type = CastKernel;
};

}  // namespace moecnn::host
