#pragma once
/// \file
/// Soft constraints: losses that ask for balanced experts. Notation: B rows, N experts, w sparse weights (after top-k),
/// I_e = Σ_rows w_e, s dense scores (softmax over all experts). Every loss is 0 for a layer of one expert.

#include <algorithm>
#include <cmath>
#include <concepts>
#include <optional>
#include <string_view>
#include <utility>

#include "moecnn/core/dispatch.hpp"
#include "moecnn/core/error.hpp"
#include "moecnn/ops/route.hpp"

namespace moecnn {

/// A balance policy returns the loss of one batch, weight included, and adds the gradients to those parts of BalanceGrad
/// that its formula depends on. Both must be finite for every routing, a batch of one row included.
template <class P>
concept BalancePolicy = std::copy_constructible<P> && requires(const P& p, const Routing& r, BalanceGrad& grad) {
  { p(r, grad) } -> std::convertible_to<double>;
};

namespace balance {

/// No loss.
struct None {
  double operator()(const Routing&, BalanceGrad&) const { return 0; }
};

/// Which weights a loss on importance sums up: those after top-k, as in the CIFAR and detection study, or the dense
/// scores, whose gradient reaches the logits of experts that were not chosen.
enum class Of { sparse, dense };

/// weight · Var(I) / (mean(I)² + 1e-10), with the unbiased variance. N when one expert takes all, 0 at balance.
struct Importance {
  double weight = 0.5;
  Of of = Of::sparse;

  double operator()(const Routing& r, BalanceGrad& grad) const {
    const int n = r.experts;
    if (n < 2) return 0;
    const auto sums = grad.scratch(n);
    for (int e = 0; e < n; ++e) {
      if (of == Of::sparse) sums[e] = r.importance[e];
      for (int row = 0; of == Of::dense && row < r.rows; ++row) sums[e] += r.scores(row, e);
    }
    double mean = 0, variance = 0;
    for (double v : sums) mean += v / n;
    for (double v : sums) variance += (v - mean) * (v - mean) / (n - 1);
    const double square = mean * mean + 1e-10;
    for (int e = 0; e < n; ++e) {
      const double d = 2 * (sums[e] - mean) / ((n - 1) * square) - 2 * variance * mean / (n * square * square);
      if (of == Of::sparse) grad.importance()[e] += weight * d;
      for (int row = 0; of == Of::dense && row < r.rows; ++row) grad.scores()(row, e) += weight * d;
    }
    return weight * variance / square;
  }
};

/// weight · Σ_e P_e ln(N P_e), P_e = (I_e + 1e-10) / B. ln N when one expert takes all, 0 at balance.
struct KlDivergence {
  double weight = 0.5;

  double operator()(const Routing& r, BalanceGrad& grad) const {
    if (r.experts < 2) return 0;
    double sum = 0;
    for (int e = 0; e < r.experts; ++e) {
      const double p = (r.importance[e] + 1e-10) / r.rows;
      const double log_ratio = std::log(p * r.experts);
      sum += p * log_ratio;
      grad.importance()[e] += weight * (log_ratio + 1) / r.rows;
    }
    return weight * sum;
  }
};

namespace detail {

/// Mean score of expert e over the batch.
inline double mean_score(const Routing& r, int e) {
  double sum = 0;
  for (int row = 0; row < r.rows; ++row) sum += r.scores(row, e);
  return sum / r.rows;
}

/// ln p, or a finite value at p = 0, where p ln p and the softmax's gradient are 0 anyway.
inline double safe_log(double p) { return std::log(p > 0 ? p : 1e-5); }

/// Share of rows whose largest score (the lowest index among equals) is expert e's; `share` starts at zero.
inline void count_winners(const Routing& r, std::span<double> share) {
  for (int row = 0; row < r.rows; ++row) {
    int best = 0;
    for (int e = 1; e < r.experts; ++e)
      if (r.scores(row, e) > r.scores(row, best)) best = e;
    share[best] += 1.0 / r.rows;
  }
}

}  // namespace detail

/// weight · (N Σ_e f_e P_e - 1): f_e share of rows whose largest score is e's (a constant for the gradient, top-1 whatever
/// k is), P_e mean score. N - 1 when one expert takes all, 0 at balance.
struct Switch {
  double weight = 0.01;

  double operator()(const Routing& r, BalanceGrad& grad) const {
    if (r.experts < 2) return 0;
    const auto share = grad.scratch(r.experts);
    detail::count_winners(r, share);
    double sum = 0;
    for (int e = 0; e < r.experts; ++e) {
      sum += share[e] * detail::mean_score(r, e);
      for (int row = 0; row < r.rows; ++row) grad.scores()(row, e) += weight * r.experts * share[e] / r.rows;
    }
    return weight * (r.experts * sum - 1);
  }
};

/// weight · (mean over rows of H(s) - H(mean s)), H with the natural logarithm: every row sure of its experts, the
/// batch spread over all. -ln N for one-hot rows in balance, 0 when one expert takes all or all rows are uniform.
struct Entropy {
  double weight = 0.01;

  double operator()(const Routing& r, BalanceGrad& grad) const {
    if (r.experts < 2) return 0;
    double loss = 0;
    for (int e = 0; e < r.experts; ++e) {
      const double mean = detail::mean_score(r, e), log_mean = detail::safe_log(mean);
      loss += mean * log_mean;
      for (int row = 0; row < r.rows; ++row) {
        const double s = r.scores(row, e), log_s = detail::safe_log(s);
        loss -= s * log_s / r.rows;
        grad.scores()(row, e) += weight * (log_mean - log_s) / r.rows;
      }
    }
    return weight * loss;
  }
};

/// - weight · H(mean s). -ln N at balance, 0 when one expert takes all.
struct ColumnEntropy {
  double weight = 0.01;

  double operator()(const Routing& r, BalanceGrad& grad) const {
    if (r.experts < 2) return 0;
    double loss = 0;
    for (int e = 0; e < r.experts; ++e) {
      const double mean = detail::mean_score(r, e), log_mean = detail::safe_log(mean);
      loss += mean * log_mean;
      for (int row = 0; row < r.rows; ++row) grad.scores()(row, e) += weight * (log_mean + 1) / r.rows;
    }
    return weight * loss;
  }
};

/// weight · (N Σ_e f_e P_e - mean over experts of the unbiased standard deviation of s_e over the rows): balanced, and
/// different from row to row. A batch of one row has no deviation.
struct Variance {
  double weight = 0.01;

  double operator()(const Routing& r, BalanceGrad& grad) const {
    if (r.experts < 2) return 0;
    const double without_spread = Switch{weight}(r, grad) + weight;
    double spread = 0;
    for (int e = 0; e < r.experts && r.rows > 1; ++e) {
      const double mean = detail::mean_score(r, e);
      double variance = 0;
      for (int row = 0; row < r.rows; ++row) variance += std::pow(r.scores(row, e) - mean, 2) / (r.rows - 1);
      const double deviation = std::sqrt(variance);
      spread += deviation / r.experts;
      if (deviation == 0) continue;  // the root has no gradient at 0: rest there
      for (int row = 0; row < r.rows; ++row)
        grad.scores()(row, e) -= weight * (r.scores(row, e) - mean) / ((r.rows - 1) * deviation * r.experts);
    }
    return without_spread - weight * spread;
  }
};

/// weight · mean over rows of (ln Σ_e exp z_e)²: keeps logits small, which keeps the softmax exact in low precision and
/// training stable (Zoph et al., "ST-MoE", 2022, equation 5). It asks for no balance; see Both.
struct ZLoss {
  double weight = 0.001;

  double operator()(const Routing& r, BalanceGrad& grad) const {
    if (r.experts < 2) return 0;
    double sum = 0;
    for (int row = 0; row < r.rows; ++row) {
      const auto z = r.logits.row(row);
      const double largest = *std::max_element(z.begin(), z.end());
      double exps = 0;
      for (double v : z) exps += std::exp(v - largest);
      const double log_sum = largest + std::log(exps);
      sum += log_sum * log_sum;
      for (int e = 0; e < r.experts; ++e)
        grad.logits()(row, e) += weight * 2 * log_sum * r.scores(row, e) / r.rows;  // d(log_sum)/dz_e = s_e
    }
    return weight * sum / r.rows;
  }
};

/// The sum of two losses: `Both<Importance, ZLoss>`.
template <BalancePolicy First, BalancePolicy Second>
struct Both {
  First first = {};
  Second second = {};

  double operator()(const Routing& r, BalanceGrad& grad) const {
    const double loss = first(r, grad);
    return loss + second(r, grad);
  }
};

/// A balance policy chosen at run time: `Any any = KlDivergence{.weight = 0.25};`
struct Any {
  std::variant<None, Importance, KlDivergence, Switch, Entropy, ColumnEntropy, Variance, ZLoss> policy;

  Any() = default;
  template <class P>
    requires(!std::same_as<std::remove_cvref_t<P>, Any>)
  Any(P&& p) : policy(std::forward<P>(p)) {}

  double operator()(const Routing& r, BalanceGrad& grad) const {
    return dispatch(policy, [&](const auto& p) -> double { return p(r, grad); });
  }
};

/// The names that by_name() knows, in a sentence.
inline constexpr const char* names = "none, importance, kl, switch, entropy, column-entropy, variance or z-loss";

/// The policy with this name, with its own weight unless one is given. Throws Error listing the names otherwise.
inline Any by_name(std::string_view name, std::optional<double> weight = {}) {
  const auto with = [&](auto p) {
    if (weight) p.weight = *weight;
    return Any(p);
  };
  if (name == "none") return None{};
  if (name == "importance") return with(Importance{});
  if (name == "kl") return with(KlDivergence{});
  if (name == "switch") return with(Switch{});
  if (name == "entropy") return with(Entropy{});
  if (name == "column-entropy") return with(ColumnEntropy{});
  if (name == "variance") return with(Variance{});
  if (name == "z-loss") return with(ZLoss{});
  fail("no balance policy is called '{}'; choose {}", name, names);
}

}  // namespace balance
}  // namespace moecnn
