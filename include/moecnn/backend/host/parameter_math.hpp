#pragma once
/// \file
/// Optimisers' updates and norms of gradients on the CPU.

#include "moecnn/core/bodies.hpp"
#include "moecnn/graph/parameter_math.hpp"

#include <vector>

namespace moecnn::host {

class HostMath final : public ParameterMath {
 public:
  void update(const UpdateRule& rule, const UpdateSpan& span) override;
  double sum_of_squares(const std::byte* x, std::size_t n, DType dtype) override;
  void scale(std::byte* x, std::size_t n, DType dtype, double factor) override;
  void add(std::byte* y, const std::byte* x, std::size_t n, DType dtype, double factor) override;
  bool all_finite(const std::byte* x, std::size_t n, DType dtype) override;

 private:
  std::vector<double> sums_;  // kept, so that a step allocates nothing
};

/// For parameters without a backend.
ParameterMath& host_math();

}  // namespace moecnn::host

#if MOECNN_BODIES
#include "moecnn/backend/host/parameter_math_impl.hpp"
#endif
