#pragma once
/// \file
/// The reference backend: plain loops and Eigen, float or double, row-major tensors as PyTorch has them. It is the truth
/// that every other backend is tested against, and it runs everywhere. With Precision::bf16 it computes in float or double
/// and rounds what it stores.

#include "moecnn/backend/host/parameter_math.hpp"
#include "moecnn/core/bodies.hpp"
#include "moecnn/graph/backend.hpp"

namespace moecnn::backend {

/// Lowers a graph to plain loops that compute in `dtype`: f32 or f64.
Lowered lower_reference(DType dtype, const Graph& g, const Flow& f);

template <class T = float>
class Reference : public Backend {
 public:
  using scalar = T;
  static constexpr const char* name = sizeof(T) == 8 ? "reference (double)" : "reference";

  std::string title() const override { return name; }
  DType dtype() const override { return dtype_of<T>; }
  bool takes(DType values) const override { return values == dtype_of<T> || values == DType::bf16; }
  Lowered lower(const Graph& g, const Flow& f, const Layouts&) override { return lower_reference(dtype_of<T>, g, f); }
  ParameterMath& math() override { return math_; }

 private:
  host::HostMath math_;
};

}  // namespace moecnn::backend

#if MOECNN_KERNEL_BODIES
#include "moecnn/backend/reference_impl.hpp"
#endif
