#pragma once
#include "moecnn/backend/host/exp.hpp"
#include "moecnn/backend/host/planes.hpp"

namespace moecnn::host {

/// f(x) and f'(x) of a curve, without branches. NaN fails every comparison and passes.
template <ops::Curve curve, class T>
T curve_value(T x) {
  if constexpr (curve == ops::Curve::sigmoid) return T(1) / (T(1) + exp_of(-x));
  const T up = x + T(3), bounded = up < T(0) ? T(0) : up > T(6) ? T(6) : up;
  return curve == ops::Curve::hard_sigmoid ? bounded / T(6) : x * (bounded / T(6));
}
template <ops::Curve curve, class T>
T curve_slope(T x) {
  if constexpr (curve == ops::Curve::sigmoid) {
    const T y = curve_value<curve>(x);
    return y * (T(1) - y);
  }
  if constexpr (curve == ops::Curve::hard_sigmoid) return ((x > T(-3)) & (x < T(3))) ? T(1) / T(6) : T(0);
  const T bounded = x > T(-3) ? x : T(-1.5), slope = bounded / T(3) + T(0.5);
  return x < T(3) ? slope : T(1);
}

template <class T>
class ActivationKernel final : public PlaneKernel<T> {
 public:
  ActivationKernel(const Graph& g, const Flow& f, int n, int unit = 1)
      : PlaneKernel<T>(g, f, n, unit), curve_(std::get<ops::Activation>(this->node_.op).curve) {}

  NodeNeeds needs() const override {
    NodeNeeds n = this->plain_needs();
    n.keeps_input[0] = 1;
    n.rebuilds_output = true;
    n.inplace_forward = n.inplace_backward = 0;
    return n;
  }
  void forward(const StepContext&) override {
    with_curve([&](auto curve) {
      this->for_each_plane([&](long long plane) {
        const T* x = at.input[0] + plane * this->plane_size();
        T* y = at.output + plane * this->plane_size();
        in_chunks(this->plane_size(), [=](long long i, int) { y[i] = curve_value<decltype(curve)::value>(x[i]); });
        this->clear_beyond(plane, y);  // a curve of zero need not be zero
      });
    });
  }
  void rebuild() override { forward({}); }
  void backward(const StepContext&) override {
    with_curve([&](auto curve) {
      this->for_each_plane([&](long long plane) {
        const long long at0 = plane * this->plane_size();
        const T *x = at.input[0] + at0, *dy = at.output_grad + at0;
        T* dx = at.input_grad[0] + at0;
        deliver_all(dx, this->adds_to_input(0), this->plane_size(),
                    [=](long long i, int) { return dy[i] * curve_slope<decltype(curve)::value>(x[i]); });
      });
    });
  }

 private:
  using NodeKernel<T>::at;
  template <ops::Curve curve>
  using Is = std::integral_constant<ops::Curve, curve>;
  template <class F>
  void with_curve(const F& work) const {
    switch (curve_) {
      case ops::Curve::sigmoid: return work(Is<ops::Curve::sigmoid>{});
      case ops::Curve::hard_sigmoid: return work(Is<ops::Curve::hard_sigmoid>{});
      case ops::Curve::hard_swish: return work(Is<ops::Curve::hard_swish>{});
    }
  }
  ops::Curve curve_;
};

template <class T>
class PReluKernel final : public PlaneKernel<T> {
 public:
  PReluKernel(const Graph& g, const Flow& f, int n, int unit = 1)
      : PlaneKernel<T>(g, f, n, unit), op_(std::get<ops::PRelu>(this->node_.op)) {}

  NodeNeeds needs() const override {
    NodeNeeds n = this->plain_needs();
    n.keeps_input[0] = 1;
    n.rebuilds_output = true;
    n.inplace_forward = n.inplace_backward = 0;
    n.scratch_backward = sizeof(double) * this->out_.extent.n * this->planes_ * this->unit_;
    return n;
  }
  void forward(const StepContext&) override {
    this->for_each_copy([&](int copy, int first, int count) {
      this->for_each_plane(first, count, [&](long long plane) {
        const T* x = at.input[0] + plane * this->plane_size();
        T* y = at.output + plane * this->plane_size();
        const Chunk<T> a = slopes(plane, copy);
        in_chunks(this->plane_size(), [=, &a](long long i, int j) {
          const T bent = a[j] * x[i];
          y[i] = x[i] > T(0) ? x[i] : bent;
        });
      });
    });
  }
  void rebuild() override { forward({}); }
  /// The slopes' gradients are summed up plane by plane, and then over planes in their order.
  void backward(const StepContext&) override {
    double* sums = reinterpret_cast<double*>(at.scratch_backward);
    this->for_each_copy([&](int copy, int first, int count) {
      this->for_each_plane(first, count, [&](long long plane) {
        const long long at0 = plane * this->plane_size();
        const T *x = at.input[0] + at0, *dy = at.output_grad + at0;
        if (this->wants_param(0))  // before dx, which may take dy's place
          this->sum_lanes(this->plane_size(), sums + plane * this->unit_, [=](long long i, int) {
            const T term = dy[i] * x[i];
            return x[i] > T(0) ? T(0) : term;
          });
        if (!this->wants_input(0)) return;
        const Chunk<T> a = slopes(plane, copy);
        deliver_all(at.input_grad[0] + at0, this->adds_to_input(0), this->plane_size(), [=, &a](long long i, int j) {
          const T bent = a[j] * dy[i];
          return x[i] > T(0) ? dy[i] : bent;
        });
      });
      if (this->wants_param(0)) deliver_slopes(copy, first, count, sums);
    });
  }

 private:
  using NodeKernel<T>::at;
  Chunk<T> slopes(long long plane, int copy) const {
    const T* a = this->param(0, copy);
    const int c = this->first_channel(plane);
    return this->repeated(plane, [&](int lane) { return op_.weights == 1 ? *a : a[c + lane]; });
  }
  void deliver_slopes(int copy, int first, int count, const double* sums) const {
    T* da = this->param_grad(0, copy);
    this->start(da, op_.weights, this->adds_to_param(0));
    for (int c = 0; c < this->out_.channels; ++c) {
      double sum = 0;
      for (int r = first; r < first + count; ++r) sum += sums[1LL * r * this->planes_ * this->unit_ + c];
      da[op_.weights == 1 ? 0 : c] += static_cast<T>(sum);
    }
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

}  // namespace moecnn::host
