#pragma once
/// \file
/// The mixture layer: of N experts, only the k that a gate chooses for a row are computed for it, and the output is the
/// weighted sum of theirs.

#include "moecnn/moe/gate.hpp"
#include "moecnn/moe/policy.hpp"

namespace moecnn {

namespace detail {

/// Channels of an expert, or of experts of several types.
template <class E>
struct ExpertShape {
  static constexpr int in = E::in, out = E::out, types = 1;
};
template <class First, class... Rest>
struct ExpertShape<std::tuple<First, Rest...>> {
  static_assert(((First::in == Rest::in) && ...) && ((First::out == Rest::out) && ...),
                "MoE<std::tuple<A, B, …>, N>: all experts must have the same `in` and the same `out`");
  static constexpr int in = First::in, out = First::out, types = 1 + sizeof...(Rest);
};
template <class E>
inline constexpr bool is_tuple = false;
template <class... E>
inline constexpr bool is_tuple<std::tuple<E...>> = true;

}  // namespace detail

/// The logits of a mixture's gate and the learned scales of its noise, if it has any: `gate.noise.weight` [N, C] on the
/// pooled input.
template <int N, class Gate, int C>
std::pair<Logits<N>, Logits<N>> gate_scores(Recorder& g, const Gate& gate, Value<C> x, int experts, bool noisy) {
  const auto scope = g.scope("gate");
  if constexpr (requires { gate.takes_noise(); })
    check(!noisy || gate.takes_noise(),
          "{}: the logits of this gate are random already, and learned noise would decide instead of them; choose a "
          "router with Noise::none",
          g.place());
  const Logits<N> logits = gate.template wire<N, C>(g, x, Experts<N>{experts});
  if (!noisy) return {logits, {}};
  if constexpr (requires { gate.noise.edge; })
    if (gate.noise.edge >= 0) return {logits, gate.noise};
  return {logits, logits_of<N>(g("noise", Linear<C, N, Bias::no>{experts}, g.global_avg_pool(x)))};
}

/// A sparse mixture of N experts. Everything is a policy:
///  - Expert: any layer with `in`, `out` and wire(); wired once, its parameters exist N times under `experts.E`. Or
///    std::tuple<A, B, …> of N layers with the same `in` and `out`: expert 0 is an A, expert 1 a B, and so on;
///  - Router: TopK<k>: how many experts per row, how their weights come from the logits, noise;
///  - Gate: what the logits are made of, under `gate`;
///  - Balance: a loss that asks for balanced use; Constraint: a rule that bars experts used too much.
/// N and k may be `dynamic`; then `experts` and `router.k` say how many.
template <class Expert, int N, class Router = TopK<2>, class Gate = gate::GapLinear, class Balance = balance::None,
          class Constraint = constraint::None>
struct MoE {
  static_assert(N == dynamic || N >= 1, "MoE<Expert, N>: a mixture needs at least one expert");
  static_assert(CheckRouting<Router, N>::value);
  static_assert(!detail::is_tuple<Expert> || N == dynamic || N == detail::ExpertShape<Expert>::types,
                "MoE<std::tuple<A, B, …>, N>: the tuple must have N types");
  static constexpr int in = detail::ExpertShape<Expert>::in, out = detail::ExpertShape<Expert>::out;

  Router router{};
  Gate gate{};
  Balance balance{};
  Constraint constraint{};
  Expert expert{};
  int experts = N;

  Value<out> wire(Recorder& g, Value<in> x) const {
    const auto policy = checked_policy(g);
    const auto [logits, noise] = gate_scores<N>(g, gate, x, experts, policy->wants_noise() && experts > 1);
    const auto routing = g.route(policy, logits, noise, owner());
    if constexpr (detail::is_tuple<Expert>) {
      return g.combine_experts<out>("experts", expert, x, routing);
    } else {
      const auto slots = g.gather(x, routing);
      return g.combine(g.experts("experts", expert, slots, routing), routing);
    }
  }

 private:
  /// Errors name the layer.
  std::shared_ptr<const RoutePolicy> checked_policy(Recorder& g) const try {
    return make_policy(router, balance, constraint, experts);
  } catch (const Error& e) {
    fail("{}: {}", g.place(), e.what());
  }

  /// Whose constraint's statistics it shares.
  std::string_view owner() const {
    if constexpr (requires { gate.owner; })
      return gate.owner;
    else
      return {};
  }
};

}  // namespace moecnn
