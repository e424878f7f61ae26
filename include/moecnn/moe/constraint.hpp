#pragma once
/// \file
/// Hard constraints: which experts may not be chosen in this batch, judged by the batches before it. In training only.
/// Both studied rules compare importance with its mean over the experts, B / N where the weights of a row sum to 1.

#include <concepts>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "moecnn/core/dispatch.hpp"
#include "moecnn/core/error.hpp"
#include "moecnn/ops/route.hpp"

namespace moecnn {

/// A constraint keeps vectors of doubles between batches (`state(N)` names them; they start at zero, lie one after the
/// other, and are part of checkpoints). `bar` sets entries of `barred`, which start at zero; `update` follows after the
/// batch was routed. Where `active` is false neither is called, and only then may the router add noise. If a constraint
/// bars all experts, the policy frees all of them.
template <class C>
concept ConstraintPolicy =
    std::copy_constructible<C> && requires(const C& c, std::span<const double> state, std::span<double> writable,
                                           std::span<char> barred, const Routing& routing) {
      { c.active } -> std::convertible_to<bool>;
      { c.state(/*experts=*/2) } -> std::convertible_to<std::vector<StateSpec>>;
      c.bar(state, barred);
      c.update(writable, routing);
    };

namespace constraint {

namespace detail {

inline double total(const Routing& r) {
  double sum = 0;
  for (double v : r.importance) sum += v;
  return sum;
}

}  // namespace detail

/// Every expert may always be chosen.
struct None {
  static constexpr bool active = false;
  std::vector<StateSpec> state(int) const { return {}; }
  void bar(std::span<const double>, std::span<char>) const {}
  void update(std::span<double>, const Routing&) const {}
};

/// Bars expert e while Σ over past batches of (I_e - mean I) / mean I > limit. No decay, no reset. The sums over all
/// experts cancel, so at most N - 1 are barred; a barred expert loses 1 per batch, so it soon comes back.
struct RelativeImportance {
  static constexpr bool active = true;
  double limit = 0.5;

  std::vector<StateSpec> state(int experts) const { return {{"relative_importance", experts}}; }
  void bar(std::span<const double> state, std::span<char> barred) const {
    for (std::size_t e = 0; e < barred.size(); ++e) barred[e] = state[e] > limit;
  }
  void update(std::span<double> state, const Routing& r) const {
    const double mean = detail::total(r) / r.experts;
    if (mean == 0) return;  // a router that gave no weight at all: nothing to compare
    for (int e = 0; e < r.experts; ++e) state[e] += (r.importance[e] - mean) / mean;
  }
};

/// Bars expert e while its mean share of importance over all past batches exceeds 1/N by more than `limit`. At most
/// ⌈1 / (1/N + limit)⌉ - 1 experts are barred: one of 4, two of 10. Weighs all history alike, so an expert that is
/// barred late in a run stays so for long.
struct MeanImportance {
  static constexpr bool active = true;
  double limit = 0.3;

  std::vector<StateSpec> state(int experts) const { return {{"mean_importance", experts}, {"steps", 1}}; }
  void bar(std::span<const double> state, std::span<char> barred) const {
    const double even = 1.0 / static_cast<double>(barred.size());
    for (std::size_t e = 0; e < barred.size(); ++e) barred[e] = state[e] - even > limit;
  }
  void update(std::span<double> state, const Routing& r) const {
    const double sum = detail::total(r);
    if (sum == 0) return;
    double& steps = state[r.experts];
    for (int e = 0; e < r.experts; ++e) state[e] = (state[e] * steps + r.importance[e] / sum) / (steps + 1);
    steps += 1;
  }
};

/// A constraint chosen at run time: `Any any = RelativeImportance{.limit = 0.3};`
class Any {
 public:
  bool active = false;  ///< follows from the choice

  Any() = default;
  template <class C>
    requires(!std::same_as<std::remove_cvref_t<C>, Any>)
  Any(C&& c) : active(c.active), policy_(std::forward<C>(c)) {}

  std::vector<StateSpec> state(int experts) const {
    return dispatch(policy_, [&](const auto& c) { return c.state(experts); });
  }
  void bar(std::span<const double> state, std::span<char> barred) const {
    dispatch(policy_, [&](const auto& c) { c.bar(state, barred); });
  }
  void update(std::span<double> state, const Routing& r) const {
    dispatch(policy_, [&](const auto& c) { c.update(state, r); });
  }
  /// The one that was chosen.
  const auto& policy() const { return policy_; }

 private:
  std::variant<None, RelativeImportance, MeanImportance> policy_;
};

/// The constraint with this name, with its own limit unless one is given. Throws Error listing the names otherwise.
inline Any by_name(std::string_view name, std::optional<double> limit = {}) {
  if (name == "none") return None{};
  if (name == "relative") return RelativeImportance{.limit = limit.value_or(RelativeImportance{}.limit)};
  if (name == "mean") return MeanImportance{.limit = limit.value_or(MeanImportance{}.limit)};
  fail("no constraint is called '{}'; choose none, relative or mean", name);
}

}  // namespace constraint
}  // namespace moecnn
