#pragma once
/// \file
/// Clipping of gradients by their global norm, as torch.nn.utils.clip_grad_norm_ does it.

#include <cmath>

#include "moecnn/backend/host/parameter_math.hpp"
#include "moecnn/train/param_groups.hpp"

namespace moecnn {

/// Global norm over parameters of a store, each counted once however often the network uses it. Sums in double in an
/// order that does not depend on the number of threads.
class GradientNorm {
 public:
  /// `math`: that of the store's backend, which outlives this.
  explicit GradientNorm(ParameterMath& math = host::host_math()) : math_(math) {}

  /// √Σ g². Padding is zero and adds nothing.
  double norm(const ParamStore& store, const std::vector<ParamSpan>& spans) {
    check(store.has_gradients(), "there are no gradients; run the model's training program first");
    double sum = 0;
    for (const ParamSpan& s : spans)
      sum += math_.sum_of_squares(store.gradient_data() + s.offset, s.elements, store.dtype());
    return std::sqrt(sum);
  }
  /// Over all parameters that are not frozen.
  double norm(const ParamStore& store) { return norm(store, param_spans(store)); }

  /// Scales all gradients by most / (norm + 1e-6) if the norm is above `most`. Returns the norm before.
  double clip(const ParamStore& store, double most) {
    const double before = norm(store);
    scale(store, before, most);
    return before;
  }

  /// The same where the norm is known already.
  void scale(const ParamStore& store, double norm, double most) {
    const double factor = most / (norm + 1e-6);
    if (factor < 1) math_.scale(store.gradient_data(), store.trained_elements(), store.dtype(), factor);
  }

 private:
  ParameterMath& math_;
};

}  // namespace moecnn
