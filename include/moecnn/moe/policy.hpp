#pragma once
/// \file
/// Router, balance loss and hard constraint put together behind RoutePolicy. The order within a batch is: noise or bar,
/// then top-k, then weights, then the constraint's statistics and the balance loss. All in double, in one fixed order, so
/// equal logits give equal bits; nothing is allocated once a batch of that size has been routed.

#include <algorithm>

#include "moecnn/moe/balance.hpp"
#include "moecnn/moe/constraint.hpp"
#include "moecnn/moe/policy_text.hpp"
#include "moecnn/moe/router.hpp"

namespace moecnn {
namespace detail {

/// ln(1 + exp(x)) and its gradient, without overflow.
inline double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }
inline double sigmoid(double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }

/// The 0.01 stands inside the softplus, as in the CIFAR study's code.
inline constexpr double noise_shift = 0.01;

inline double noise_at(const Rng& rng, int r, int e, int experts) {
  return rng.normal(static_cast<std::uint64_t>(r) * experts + e);
}

/// Copies the logits, adds noise where `raw_noise` is given, checks them and fills the dense scores.
inline void take_logits(const Matrix& logits, const Matrix* raw_noise, const Rng& rng, Routing& out) {
  for (int r = 0; r < out.rows; ++r) {
    const auto z = out.logits.row(r);
    bool somewhere = false;
    for (int e = 0; e < out.experts; ++e) {
      const double noise =
          raw_noise ? noise_at(rng, r, e, out.experts) * softplus((*raw_noise)(r, e) + noise_shift) : 0.0;
      z[e] = logits(r, e) + noise;
      check(z[e] < std::numeric_limits<double>::infinity(),  // false for NaN, too
            "row {}: the gate's logit of expert {} is {} (noise {}); the network has diverged or its input is not "
            "finite, lower the learning rate or check the data",
            r, e, logits(r, e), noise);
      somewhere |= std::isfinite(z[e]);
    }
    check(somewhere,
          "row {}: the gate's logits of all {} experts are -inf, so no expert may serve it; leave at least "
          "one finite",
          r, out.experts);
    softmax(z, out.scores.row(r));
  }
}

/// Weights that do not depend on the logits, for analysis: one expert with weight 1, or all with weight 1/N.
inline void fix_weights(int fixed_expert, Routing& out) {
  out.weights.fill(fixed_expert < 0 ? 1.0 / out.experts : 0.0);
  for (int r = 0; fixed_expert >= 0 && r < out.rows; ++r) out.weights(r, fixed_expert) = 1;
}

/// Importance, load and slot tables from the weights.
inline void fill_tables(Routing& out) {
  for (int r = 0; r < out.rows; ++r) {
    int chosen = 0;
    for (int e = 0; e < out.experts; ++e) {
      const double w = out.weights(r, e);
      check(w >= 0, "row {}: the router gave expert {} the weight {}; weights must not be negative", r, e, w);
      out.importance[e] += w;
      out.load[e] += w > 0;
      chosen += w > 0;
    }
    check(chosen <= out.k, "row {}: the router chose {} experts, more than k = {}", r, chosen, out.k);
  }
  for (int e = 0; e < out.experts; ++e) out.offset[e + 1] = out.offset[e] + out.load[e];
  out.slot_row.resize(out.slots());
  out.slot_weight.resize(out.slots());
  std::fill(out.row_slots.begin(), out.row_slots.end(), -1);
  for (int e = 0, slot = 0; e < out.experts; ++e)
    for (int r = 0; r < out.rows; ++r) {
      if (!(out.weights(r, e) > 0)) continue;
      auto place = out.row_slots.begin() + static_cast<std::ptrdiff_t>(r) * out.k;
      while (*place >= 0) ++place;
      out.slot_row[slot] = r;
      out.slot_weight[slot] = out.weights(r, e);
      *place = slot++;
    }
}

}  // namespace detail

/// See RoutePolicy; made by make_policy().
template <Router R, BalancePolicy B, ConstraintPolicy C>
class PolicyOf final : public RoutePolicy {
 public:
  PolicyOf(R router, B balance, C constraint, int experts)
      : router_(std::move(router)),
        balance_(std::move(balance)),
        constraint_(std::move(constraint)),
        experts_(experts) {
    check(experts >= 1, "a mixture needs at least one expert, it was given {}", experts);
    router_.verify(router_.k, experts_, true);
    for (const StateSpec& spec : state()) state_size_ += static_cast<std::size_t>(spec.size);
  }

  int experts() const override { return experts_; }
  int k() const override { return router_.k; }
  /// Not under a hard constraint, as studied, and not for one expert, where there is nothing to explore.
  bool wants_noise() const override { return router_.noise == Noise::learned && !constraint_.active && experts_ > 1; }
  std::vector<StateSpec> state() const override { return constraint_.state(experts_); }
  std::vector<std::pair<std::string, std::string>> settings() const override {
    return {{"router", detail::router_text(router_)},
            {"balance", detail::policy_text(balance_)},
            {"constraint", detail::policy_text(constraint_)}};
  }

  void route(const Matrix& logits, const Matrix& raw_noise, RouteContext& context, Routing& out) const override {
    check(logits.cols() == experts_, "the gate gives {} logits per row, but the layer has {} experts", logits.cols(),
          experts_);
    const bool noise = noisy(context), judged = constraint_.active && context.training && !fixed(context);
    check(!noise || same_size(raw_noise, logits),
          "noise scales are {} × {}, logits are {} × {}; a router with learned noise needs one scale per logit in "
          "training (or Noise::none, or noise switched off)",
          raw_noise.rows(), raw_noise.cols(), logits.rows(), logits.cols());
    check(!judged || context.state.size() == state_size_, "the constraint keeps {} numbers, the caller brought {}",
          state_size_, context.state.size());

    out.resize(logits.rows(), experts_, k_now(context));
    out.balance_grad.start(out.rows, experts_);
    out.balance_loss = 0;
    detail::take_logits(logits, noise ? &raw_noise : nullptr, context.noise, out);
    if (judged) {
      constraint_.bar(context.state, out.barred);
      if (std::all_of(out.barred.begin(), out.barred.end(), [](char b) { return b != 0; }))
        std::fill(out.barred.begin(), out.barred.end(), char{0});
    }
    if (fixed(context))
      detail::fix_weights(context.fixed_expert, out);
    else
      router_.choose(out);
    detail::fill_tables(out);
    if (judged && out.rows > 0) constraint_.update(context.state, out);
    if (!context.grouped) finish(context, out);
  }

  void finish(RouteContext& context, Routing& out) const override {
    if (fixed(context) || out.rows == 0) return;
    if (experts_ > 1) out.balance_loss = balance_(out, out.balance_grad);
  }

  void backward(const Matrix& raw_noise, const RouteContext& context, const Routing& routing,
                RoutingGrads& grads) const override {
    check(same_size(grads.weights, routing.weights), "gradients are {} × {}, the routing has {} × {} weights",
          grads.weights.rows(), grads.weights.cols(), routing.rows, routing.experts);
    for (Matrix* m : {&grads.total, &grads.logits, &grads.noise}) m->resize(routing.rows, routing.experts), m->fill(0);
    if (fixed(context)) return;

    const BalanceGrad& balance = routing.balance_grad;
    for (int r = 0; r < routing.rows; ++r)
      for (int e = 0; e < routing.experts; ++e)
        if (routing.weights(r, e) > 0) grads.total(r, e) = grads.weights(r, e) + balance.weight(r, e);
    router_.backward(routing, grads.total, grads.logits);
    for (int r = 0; r < routing.rows && balance.has_scores(); ++r)
      detail::softmax_backward(routing.scores.row(r), balance.scores().row(r), grads.logits.row(r));
    for (int r = 0; r < routing.rows && balance.has_logits(); ++r)
      for (int e = 0; e < routing.experts; ++e) grads.logits(r, e) += balance.logits()(r, e);
    for (int r = 0; r < routing.rows && noisy(context); ++r)
      for (int e = 0; e < routing.experts; ++e)
        grads.noise(r, e) = grads.logits(r, e) * detail::noise_at(context.noise, r, e, routing.experts) *
                            detail::sigmoid(raw_noise(r, e) + detail::noise_shift);
  }

 private:
  static bool same_size(const Matrix& a, const Matrix& b) { return a.rows() == b.rows() && a.cols() == b.cols(); }
  static bool fixed(const RouteContext& c) { return c.fixed_expert >= 0 || c.equal_weights; }
  bool noisy(const RouteContext& c) const { return wants_noise() && c.training && !c.noise_off && !fixed(c); }

  int k_now(const RouteContext& c) const {
    check(!(c.fixed_expert >= 0 && c.equal_weights), "choose a fixed expert or equal weights, not both");
    check(c.fixed_expert < experts_, "expert {} was asked to serve every row, but the layer has experts 0 … {}",
          c.fixed_expert, experts_ - 1);
    if (c.fixed_expert >= 0) return 1;
    if (c.equal_weights) return experts_;
    if (c.k == 0) return router_.k;
    router_.verify(c.k, experts_, c.training);
    return c.k;
  }

  R router_;
  B balance_;
  C constraint_;
  int experts_;
  std::size_t state_size_ = 0;
};

/// The policy of a mixture of `experts` experts. Throws Error where the router cannot route among so many.
template <Router R, BalancePolicy B, ConstraintPolicy C>
std::shared_ptr<const RoutePolicy> make_policy(R router, B balance, C constraint, int experts) {
  return std::make_shared<PolicyOf<R, B, C>>(std::move(router), std::move(balance), std::move(constraint), experts);
}

}  // namespace moecnn
