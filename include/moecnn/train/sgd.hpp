#pragma once
/// \file
/// Stochastic gradient descent, as torch.optim.SGD defines it (dampening 0).

#include <array>
#include <cmath>
#include <cstdint>
#include <string>

#include "moecnn/core/error.hpp"

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

  /// One stretch of parameters with its gradients and moments.
  template <class T>
  struct Update {
    T lr, momentum, decay;

    Update(const Sgd& o, double rate, std::int64_t)
        : lr(static_cast<T>(rate)),
          momentum(static_cast<T>(o.momentum)),
          decay(static_cast<T>(o.weight_decay)),
          nesterov_(o.nesterov) {}

    void operator()(T* p, const T* g, const std::array<T*, 2>& m, std::size_t n) const {
      T* b = m[0];
      if (!b) {
        for (std::size_t i = 0; i < n; ++i) p[i] -= lr * (g[i] + decay * p[i]);
      } else if (!nesterov_) {
        for (std::size_t i = 0; i < n; ++i) {
          b[i] = momentum * b[i] + (g[i] + decay * p[i]);
          p[i] -= lr * b[i];
        }
      } else {
        for (std::size_t i = 0; i < n; ++i) {
          const T d = g[i] + decay * p[i];
          b[i] = momentum * b[i] + d;
          p[i] -= lr * (d + momentum * b[i]);
        }
      }
    }

   private:
    bool nesterov_;
  };
};

}  // namespace moecnn
