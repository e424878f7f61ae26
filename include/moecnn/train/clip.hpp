#pragma once
/// \file
/// Clipping of gradients by their global norm, as torch.nn.utils.clip_grad_norm_ does it.

#include <algorithm>
#include <cmath>

#include "moecnn/core/threads.hpp"
#include "moecnn/model/param_store.hpp"

namespace moecnn {

/// Global norm over all parameters of a store, each counted once however often the network uses it. Sums in double in an
/// order that does not depend on the number of threads. Memory is allocated at construction.
template <class T>
class GradientNorm {
 public:
  explicit GradientNorm(const ParamStore<T>& store) : sums_((store.trained().size() + block - 1) / block) {}

  /// √Σ g². Padding is zero and adds nothing.
  double norm(const ParamStore<T>& store) {
    const std::span<const T> g = store.gradients();
    check(g.size() == store.trained().size(), "there are no gradients; run the model's training program first");
    const auto blocks = static_cast<std::int64_t>(sums_.size());
#pragma omp parallel for schedule(static) if (worth_sharing(g.size()))
    for (std::int64_t b = 0; b < blocks; ++b) {
      const std::size_t at = static_cast<std::size_t>(b) * block;
      sums_[b] = squares(g.data() + at, std::min(block, g.size() - at));
    }
    double sum = 0;
    for (double s : sums_) sum += s;
    return std::sqrt(sum);
  }

  /// Scales all gradients by most / (norm + 1e-6) if the norm is above `most`. Returns the norm before.
  double clip(const ParamStore<T>& store, double most) {
    const double before = norm(store);
    scale(store, before, most);
    return before;
  }

  /// The same where the norm is known already.
  static void scale(const ParamStore<T>& store, double norm, double most) {
    const double factor = most / (norm + 1e-6);
    if (!(factor < 1)) return;
    const std::span<T> g = store.gradients();
    const T scale = static_cast<T>(factor);
    const auto n = static_cast<std::int64_t>(g.size());
#pragma omp parallel for schedule(static) if (worth_sharing(n))
    for (std::int64_t i = 0; i < n; ++i) g[i] *= scale;
  }

 private:
  static constexpr std::size_t block = 16384;

  /// In lanes, so that it vectorises without leave to reorder.
  static double squares(const T* g, std::size_t n) {
    constexpr std::size_t lanes = 8;
    double lane[lanes] = {}, sum = 0;
    std::size_t i = 0;
    for (; i + lanes <= n; i += lanes)
      for (std::size_t l = 0; l < lanes; ++l) lane[l] += static_cast<double>(g[i + l]) * g[i + l];
    for (; i < n; ++i) sum += static_cast<double>(g[i]) * g[i];
    for (double l : lane) sum += l;
    return sum;
  }

  std::vector<double> sums_;
};

}  // namespace moecnn
