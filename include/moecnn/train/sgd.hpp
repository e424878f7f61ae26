#pragma once
/// \file
/// Stochastic gradient descent, as torch.optim.SGD defines it (dampening 0).

#include "moecnn/core/error.hpp"
#include "moecnn/graph/parameter_math.hpp"

namespace moecnn {

/// d = g + weight_decay · p;  b ← momentum · b + d (b = d in the first step);
/// p ← p - lr · b, with Nesterov p ← p - lr · (d + momentum · b).
struct Sgd {
  double momentum = 0;
  bool nesterov = false;  ///< needs momentum
  double weight_decay = 0;

  static constexpr const char* name = "sgd";
  static constexpr std::array<const char*, 1> moments{"momentum"};
  /// Moments that these settings need: none without momentum.
  int moment_count() const { return momentum != 0 ? 1 : 0; }

  void verify() const {
    check(momentum >= 0 && momentum < 1, "sgd: momentum is {}, expected 0 … 1 (1 excluded)", momentum);
    check(!nesterov || momentum > 0, "sgd: Nesterov needs momentum; set momentum, 0.9 for instance");
    check(weight_decay >= 0, "sgd: weight decay is {}, expected 0 or more", weight_decay);
  }
  std::string text() const {
    return formatted("sgd, momentum {}{}, weight decay {}", momentum, nesterov ? " (Nesterov)" : "", weight_decay);
  }

  UpdateRule rule(double lr, std::int64_t) const {
    return {
        .kind = UpdateRule::Kind::sgd, .lr = lr, .beta1 = momentum, .weight_decay = weight_decay, .nesterov = nesterov};
  }
};

}  // namespace moecnn
