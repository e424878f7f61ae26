#pragma once
#include "moecnn/backend/host/node_kernel.hpp"
#include "moecnn/core/bf16.hpp"

namespace moecnn::onednn {

/// A kernel whose maps are of type S, float or Bf16, and whose parameters are floats in either case.
template <class S>
class MapKernel : public host::NodeKernel<S> {
 public:
  using host::NodeKernel<S>::NodeKernel;

 protected:
  float* param(int i, int copy = 0) const { return reinterpret_cast<float*>(at.param[place(i, copy)]); }
  float* param_grad(int i, int copy = 0) const { return reinterpret_cast<float*>(at.param_grad[place(i, copy)]); }
  /// Hands over one element of a parameter's gradient.
  static void deliver(float& grad, double value, bool adds) { grad = static_cast<float>(adds ? grad + value : value); }

  using host::NodeKernel<S>::at;

 private:
  std::size_t place(int i, int copy) const {
    return static_cast<std::size_t>(i) * static_cast<std::size_t>(this->node_.experts) + static_cast<std::size_t>(copy);
  }
};

/// sum += x, where the sum may be rounded to bf16.
template <class S>
void add(S* sum, const float* x, long long n) {
#pragma omp parallel for simd if (worth_sharing(n))
  for (long long i = 0; i < n; ++i) sum[i] = S(sum[i] + x[i]);
}

}  // namespace moecnn::onednn
