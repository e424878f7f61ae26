#pragma once
/// Small helpers of the routing tests: matrices from lists and random numbers, a policy with its state, and the scalar
/// loss whose gradients the gradient tests check.

#include "moecnn/moe/policy.hpp"

#include <initializer_list>

namespace routing_test {

using namespace moecnn;

inline Matrix rows_of(std::initializer_list<std::initializer_list<double>> lists) {
  Matrix m(static_cast<int>(lists.size()), static_cast<int>(lists.begin()->size()));
  int r = 0;
  for (const auto& list : lists) std::copy(list.begin(), list.end(), m.row(r++).begin());
  return m;
}

inline Matrix random_matrix(int rows, int cols, int seed, double scale = 1) {
  const Rng rng(static_cast<std::uint64_t>(seed), Purpose::other);
  Matrix m(rows, cols);
  for (std::size_t i = 0; i < m.flat().size(); ++i) m.flat()[i] = scale * rng.normal(i);
  return m;
}

/// A policy and what a model would keep for it.
struct Bench {
  std::shared_ptr<const RoutePolicy> policy;
  std::vector<double> state;
  RouteContext context;
  Routing routing;

  explicit Bench(std::shared_ptr<const RoutePolicy> p) : policy(std::move(p)) {
    for (const auto& s : policy->state()) state.resize(state.size() + static_cast<std::size_t>(s.size));
    context.training = true;
  }
  const Routing& operator()(const Matrix& logits, const Matrix& raw = {}) {
    context.state = state;
    policy->route(logits, raw, context, routing);
    return routing;
  }
};

template <class R, class B = balance::None, class C = constraint::None>
Bench bench(R router, int experts, B balance = {}, C constraint = {}) {
  return Bench(make_policy(router, balance, constraint, experts));
}

/// A routing made by hand: importance, load and tables follow from the weights; scores are the weights unless given.
inline Routing routing_of(const Matrix& weights, const Matrix* scores = nullptr) {
  Routing r;
  r.resize(weights.rows(), weights.cols(), weights.cols());
  r.logits = r.weights = weights;
  r.scores = scores ? *scores : weights;
  r.balance_grad.start(r.rows, r.experts);
  detail::fill_tables(r);
  return r;
}

inline bool same_bits(std::span<const double> a, std::span<const double> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](double x, double y) { return x == y && std::signbit(x) == std::signbit(y); });
}

/// Relative difference; numbers below 1e-3 count as 1e-3.
inline double off(double a, double b) { return std::abs(a - b) / std::max({std::abs(a), std::abs(b), 1e-3}); }

}  // namespace routing_test
