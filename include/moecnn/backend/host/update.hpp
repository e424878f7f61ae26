#pragma once
/// \file
/// Updates of stretches of parameters on the CPU, as torch.optim defines them.

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "moecnn/graph/parameter_math.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace moecnn::host {

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

  explicit AdamUpdate(const UpdateRule& r)
      : keep1(static_cast<T>(r.beta1)),
        take1(static_cast<T>(1 - r.beta1)),
        take2(static_cast<T>(1 - r.beta2)),
        keep2(static_cast<T>(r.beta2)),
        rate(static_cast<T>(r.lr / (1 - std::pow(r.beta1, static_cast<double>(r.step))))),
        root(static_cast<T>(1 / std::sqrt(1 - std::pow(r.beta2, static_cast<double>(r.step))))),
        eps(static_cast<T>(r.eps)),
        decay(static_cast<T>(r.decoupled ? 0 : r.weight_decay)),
        shrink(static_cast<T>(r.decoupled ? 1 - r.lr * r.weight_decay : 1)) {}

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

/// d = g + weight_decay · p;  b ← momentum · b + d (b starts at 0);
/// p ← p - lr · b, with Nesterov p ← p - lr · (d + momentum · b); without moments b = d.
template <class T>
struct SgdUpdate {
  T lr, momentum, decay;
  bool nesterov;

  explicit SgdUpdate(const UpdateRule& r)
      : lr(static_cast<T>(r.lr)),
        momentum(static_cast<T>(r.beta1)),
        decay(static_cast<T>(r.weight_decay)),
        nesterov(r.nesterov) {}

  void operator()(T* p, const T* g, const std::array<T*, 2>& moments, std::size_t n) const {
    T* b = moments[0];
    if (!b) {
      for (std::size_t i = 0; i < n; ++i) p[i] -= lr * (g[i] + decay * p[i]);
    } else if (!nesterov) {
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
};

}  // namespace moecnn::host
