#pragma once
/// \file
/// Adam (Kingma and Ba, 2015) and AdamW (Loshchilov and Hutter, 2019), as torch.optim defines them.

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "moecnn/core/error.hpp"

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
  std::string text(const char* name) const {
    return formatted("{}, betas {} {}, eps {}, weight decay {}", name, beta1, beta2, eps, weight_decay);
  }
};

/// to[i] = √from[i]. A loop over std::sqrt does not vectorise, for the sake of errno.
inline void square_roots(const float* from, float* to, std::size_t n) {
  std::size_t i = 0;
#ifdef __SSE2__
  for (; i + 4 <= n; i += 4) _mm_storeu_ps(to + i, _mm_sqrt_ps(_mm_loadu_ps(from + i)));
#endif
  for (; i < n; ++i) to[i] = std::sqrt(from[i]);
}
inline void square_roots(const double* from, double* to, std::size_t n) {
  std::size_t i = 0;
#ifdef __SSE2__
  for (; i + 2 <= n; i += 2) _mm_storeu_pd(to + i, _mm_sqrt_pd(_mm_loadu_pd(from + i)));
#endif
  for (; i < n; ++i) to[i] = std::sqrt(from[i]);
}

/// m ← β1 m + (1 - β1) g;  v ← β2 v + (1 - β2) g²;
/// p ← p - lr / (1 - β1ᵗ) · m / (√v / √(1 - β2ᵗ) + eps). Where the denominator is 0, as it is with eps = 0 for gradients
/// that were always 0, there is no step.
template <class T>
struct AdamUpdate {
  T keep1, take1, take2, keep2, rate, root, eps, decay, shrink;

  /// `step`: from 1.
  AdamUpdate(const AdamSettings& o, double lr, std::int64_t step)
      : keep1(static_cast<T>(o.beta1)),
        take1(static_cast<T>(1 - o.beta1)),
        take2(static_cast<T>(1 - o.beta2)),
        keep2(static_cast<T>(o.beta2)),
        rate(static_cast<T>(lr / (1 - std::pow(o.beta1, static_cast<double>(step))))),
        root(static_cast<T>(1 / std::sqrt(1 - std::pow(o.beta2, static_cast<double>(step))))),
        eps(static_cast<T>(o.eps)),
        decay(static_cast<T>(o.decoupled ? 0 : o.weight_decay)),
        shrink(static_cast<T>(o.decoupled ? 1 - lr * o.weight_decay : 1)) {}

  void operator()(T* __restrict p, const T* __restrict g, const std::array<T*, 2>& moments, std::size_t n) const {
    T* __restrict m = moments[0];
    T* __restrict v = moments[1];
    const AdamUpdate c = *this;  // a copy that no store into p, m or v can change
    constexpr std::size_t piece = 512;
    T size[piece];
    for (std::size_t at = 0; at < n; at += piece) {
      const std::size_t end = std::min(n, at + piece);
      for (std::size_t i = at; i < end; ++i) {
        const T d = g[i] + c.decay * p[i];
        m[i] = c.keep1 * m[i] + c.take1 * d;
        v[i] = c.keep2 * v[i] + c.take2 * d * d;
      }
      square_roots(v + at, size, end - at);
      for (std::size_t i = at; i < end; ++i) {
        const T below = size[i - at] * c.root + c.eps;
        // Chosen before the division, so that the loop needs no branch: m / ∞ is 0.
        p[i] = c.shrink * p[i] - c.rate * (m[i] / (below == T(0) ? std::numeric_limits<T>::infinity() : below));
      }
    }
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

  template <class T>
  struct Update : detail::AdamUpdate<T> {
    Update(const Adam& o, double lr, std::int64_t step) : detail::AdamUpdate<T>(o.settings(), lr, step) {}
  };
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

  template <class T>
  struct Update : detail::AdamUpdate<T> {
    Update(const AdamW& o, double lr, std::int64_t step) : detail::AdamUpdate<T>(o.settings(), lr, step) {}
  };
};

}  // namespace moecnn
