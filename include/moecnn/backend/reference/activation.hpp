#pragma once
#include "moecnn/backend/reference/common.hpp"

#include <cmath>

namespace moecnn::reference {

/// f(x) and f'(x) of a curve.
template <class T>
T curve_value(ops::Curve curve, T x) {
  // NaN fails every comparison and passes.
  const auto hard = [](T v) { return v <= T(-3) ? T(0) : v >= T(3) ? T(1) : (v + T(3)) / T(6); };
  switch (curve) {
    case ops::Curve::sigmoid: return T(1) / (T(1) + std::exp(-x));
    case ops::Curve::hard_sigmoid: return hard(x);
    case ops::Curve::hard_swish: break;
  }
  return x * hard(x);
}
template <class T>
T curve_slope(ops::Curve curve, T x) {
  switch (curve) {
    case ops::Curve::sigmoid: {
      const T y = curve_value(curve, x);
      return y * (T(1) - y);
    }
    case ops::Curve::hard_sigmoid: return x > T(-3) && x < T(3) ? T(1) / T(6) : T(0);
    case ops::Curve::hard_swish: break;
  }
  return x <= T(-3) ? T(0) : x < T(3) ? x / T(3) + T(0.5) : T(1);
}

template <class T>
class ActivationKernel final : public NodeKernel<T> {
 public:
  ActivationKernel(const Graph& g, const Flow& f, int n)
      : NodeKernel<T>(g, f, n), curve_(std::get<ops::Activation>(this->node_.op).curve) {}

  NodeNeeds needs() const override {
    NodeNeeds n = this->plain_needs();
    n.keeps_input[0] = 1;
    n.inplace_forward = n.inplace_backward = 0;
    return n;
  }
  void forward(const StepContext&) override {
    for (long long i = 0; i < this->size(); ++i) at.output[i] = curve_value(curve_, at.input[0][i]);
  }
  void backward(const StepContext&) override {
    for (long long i = 0; i < this->size(); ++i)
      this->deliver(at.input_grad[0][i], at.output_grad[i] * curve_slope(curve_, at.input[0][i]),
                    this->adds_to_input(0));
  }

 private:
  using NodeKernel<T>::at;
  ops::Curve curve_;
};

template <class T>
class PReluKernel final : public NodeKernel<T> {
 public:
  PReluKernel(const Graph& g, const Flow& f, int n)
      : NodeKernel<T>(g, f, n), op_(std::get<ops::PRelu>(this->node_.op)) {}

  NodeNeeds needs() const override {
    NodeNeeds n = this->plain_needs();
    n.keeps_input[0] = 1;
    n.inplace_forward = n.inplace_backward = 0;
    return n;
  }
  void forward(const StepContext&) override {
    for_each_plane([&](int, const T& a, int, long long begin, long long end) {
      for (long long i = begin; i < end; ++i)
        at.output[i] = at.input[0][i] > T(0) ? at.input[0][i] : a * at.input[0][i];
    });
  }
  void backward(const StepContext&) override {
    if (this->wants_param(0))
      for (int copy = 0; copy < this->node_.copies; ++copy)
        this->start(this->param_grad(0, copy), op_.weights, this->adds_to_param(0));
    for_each_plane([&](int copy, const T& a, int w, long long begin, long long end) {
      double sum = 0;
      for (long long i = begin; i < end; ++i) {
        const T x = at.input[0][i], dy = at.output_grad[i];
        if (!(x > T(0))) sum += dy * x;
        if (this->wants_input(0)) this->deliver(at.input_grad[0][i], x > T(0) ? dy : a * dy, this->adds_to_input(0));
      }
      if (this->wants_param(0)) this->param_grad(0, copy)[w] += static_cast<T>(sum);
    });
  }

 private:
  using NodeKernel<T>::at;
  /// Calls `work(copy, slope, number of the slope, begin, end)` for the elements of every channel of every row.
  template <class F>
  void for_each_plane(const F& work) const {
    const long long pixels = this->out_.extent.pixels();
    this->for_each_copy([&](int copy, int first, int count) {
      for (int r = first; r < first + count; ++r)
        for (int c = 0; c < this->out_.channels; ++c) {
          const long long begin = (1LL * r * this->out_.channels + c) * pixels;
          const int w = op_.weights == 1 ? 0 : c;
          work(copy, this->param(0, copy)[w], w, begin, begin + pixels);
        }
    });
  }
  ops::PRelu op_;
};

template <class T>
struct KernelFor<T, ops::Activation> {
  using type = ActivationKernel<T>;
};
template <class T>
struct KernelFor<T, ops::PRelu> {
  using type = PReluKernel<T>;
};

}  // namespace moecnn::reference
