#pragma once
/// \file
/// Adam (Kingma and Ba, 2015) and AdamW (Loshchilov and Hutter, 2019), as torch.optim defines them.

#include "moecnn/core/error.hpp"
#include "moecnn/graph/parameter_math.hpp"

namespace moecnn {

namespace detail {

struct AdamSettings {
  double beta1, beta2, eps, weight_decay;
  bool decoupled;

  void verify(const char* name) const {
    check(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1, "{}: betas are {} and {}, expected 0 … 1 (1 excluded)",
          name, beta1, beta2);
    check(eps >= 0 && weight_decay >= 0, "{}: eps is {} and weight decay {}, expected 0 or more", name, eps,
          weight_decay);
  }
  UpdateRule rule(double lr, std::int64_t step) const {
    return {.kind = UpdateRule::Kind::adam,
            .lr = lr,
            .beta1 = beta1,
            .beta2 = beta2,
            .eps = eps,
            .weight_decay = weight_decay,
            .decoupled = decoupled,
            .step = step};
  }
  std::string text(const char* name) const {
    return formatted("{}, betas {} {}, eps {}, weight decay {}", name, beta1, beta2, eps, weight_decay);
  }
};

}  // namespace detail

/// Weight decay, if any, is added to the gradient.
struct Adam {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double weight_decay = 0;

  static constexpr const char* name = "adam";
  static constexpr std::array<const char*, 2> moments{"exp_avg", "exp_avg_sq"};
  int moment_count() const { return 2; }
  detail::AdamSettings settings() const { return {beta1, beta2, eps, weight_decay, false}; }
  void verify() const { settings().verify(name); }
  std::string text() const { return settings().text(name); }
  /// Update number `step`, from 1.
  UpdateRule rule(double lr, std::int64_t step) const { return settings().rule(lr, step); }
};

/// Weight decay shrinks the parameter itself: p ← (1 - lr · weight_decay) · p before the step of Adam.
struct AdamW {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double weight_decay = 0.01;

  static constexpr const char* name = "adamw";
  static constexpr std::array<const char*, 2> moments{"exp_avg", "exp_avg_sq"};
  int moment_count() const { return 2; }
  detail::AdamSettings settings() const { return {beta1, beta2, eps, weight_decay, true}; }
  void verify() const { settings().verify(name); }
  std::string text() const { return settings().text(name); }
  /// Update number `step`, from 1.
  UpdateRule rule(double lr, std::int64_t step) const { return settings().rule(lr, step); }
};

}  // namespace moecnn
