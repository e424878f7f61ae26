#pragma once
/// \file
/// Routers: which k experts serve a row, and with what weight. Noise and barring come before the router and are the
/// policy's work (policy.hpp); a router sees the final logits and the list of barred experts.

#include <cmath>
#include <concepts>
#include <limits>
#include <type_traits>

#include "moecnn/core/dynamic.hpp"
#include "moecnn/core/error.hpp"
#include "moecnn/ops/route.hpp"

namespace moecnn {

/// How the weights of the chosen experts come from their logits.
enum class Weights {
  renormalised,     ///< softmax over exactly the k chosen logits: they sum to 1, the other logits get no gradient
  raw,              ///< the chosen entries of the softmax over all N (barred ones left out): they sum to at most 1
  straight_through  ///< k = 1 only: weight exactly 1, backward as if it were raw
};

/// `learned`: in training, logit e of a row becomes z_e + ε · softplus(raw_e + 0.01), ε ~ N(0, 1) per row and expert,
/// with raw scales from trainable weights. The noise is reparameterised, so those weights learn.
enum class Noise { learned, none };

struct RouterOpts {
  Weights weights = Weights::renormalised;
  Noise noise = Noise::learned;
};

/// The requirements on a router. `choose` reads logits, scores, barred and k of the routing and sets the weights:
/// rows × N, not negative, at most k per row above 0. `backward` adds to dL/dlogits. `verify` throws Error on an
/// impossible k and, with `training`, on settings with which the gate learns nothing.
template <class R>
concept Router = std::copy_constructible<R> &&
                 requires(const R& r, Routing& routing, const Routing& done, const Matrix& dweights, Matrix& dlogits) {
                   { r.k } -> std::convertible_to<int>;
                   { r.noise } -> std::convertible_to<Noise>;
                   r.verify(/*k=*/1, /*experts=*/1, /*training=*/true);
                   r.choose(routing);
                   r.backward(done, dweights, dlogits);
                 };

namespace detail {

/// Softmax of `z` into `out`; -inf gives 0. At least one entry must be finite.
inline void softmax(std::span<const double> z, std::span<double> out) {
  double top = -std::numeric_limits<double>::infinity(), sum = 0;
  for (double v : z) top = v > top ? v : top;
  for (std::size_t i = 0; i < z.size(); ++i) sum += out[i] = std::exp(z[i] - top);
  for (double& v : out) v /= sum;
}

/// dz_e += s_e (ds_e - Σ_j s_j ds_j): backward of s = softmax(z).
inline void softmax_backward(std::span<const double> s, std::span<const double> ds, std::span<double> dz) {
  double mean = 0;
  for (std::size_t i = 0; i < s.size(); ++i) mean += s[i] * ds[i];
  for (std::size_t i = 0; i < s.size(); ++i) dz[i] += s[i] * (ds[i] - mean);
}

/// Throws unless top-k routing with these settings is possible and, for training, can learn.
inline void verify_top_k(Weights weights, int k, int experts, bool training) {
  check(k >= 1, "TopK: k is {}, but a row needs at least one expert; set k to 1 … {}", k, experts);
  check(k <= experts, "TopK: k is {}, but the layer has only {} expert(s); set k to 1 … {}", k, experts, experts);
  check(weights != Weights::straight_through || k == 1,
        "TopK: straight-through weights are defined for k = 1 only, k is {}; choose renormalised or raw weights", k);
  check(
      !training || weights != Weights::renormalised || k > 1 || experts == 1,
      "k = 1 with renormalised weights: the weight of the one expert chosen is always 1, so the gate of {} experts "
      "learns nothing; choose k = 2 or more (in code, TopK with Weights::raw or Weights::straight_through learns with "
      "k = 1, too)",
      experts);
}

/// The k best experts of one row, best first, into `best`; returns how many there are. Equal logits: the lowest index
/// wins. Experts that are barred or whose logit is -inf are never chosen, so there may be fewer than k, unless nothing
/// else is left in this row: then the bar does not count.
inline int best_experts(std::span<const double> z, std::span<const char> barred, std::span<int> best) {
  const int k = static_cast<int>(best.size());
  int found = 0;
  for (int pass = 0; pass < 2 && found == 0; ++pass)
    for (int e = 0; e < static_cast<int>(z.size()); ++e) {
      if (z[e] == -std::numeric_limits<double>::infinity() || (pass == 0 && barred[e])) continue;
      if (found == k && !(z[e] > z[best[k - 1]])) continue;
      int at = found < k ? found++ : k - 1;
      for (; at > 0 && z[e] > z[best[at - 1]]; --at) best[at] = best[at - 1];
      best[at] = e;
    }
  return found;
}

/// The softmax of one row over all experts that are not barred, without storing it: entry e is of(e).
class FreeSoftmax {
 public:
  FreeSoftmax(std::span<const double> z, std::span<const char> barred) : z_(z), barred_(barred) {
    for (int pass = 0; pass < 2 && sum_ == 0; ++pass) {
      use_bar_ = pass == 0;  // a row that has nothing but barred experts ignores the bar, as in best_experts
      for (std::size_t e = 0; e < z.size(); ++e)
        if (free(e) && z[e] > top_) top_ = z[e];
      for (std::size_t e = 0; e < z.size() && std::isfinite(top_); ++e) sum_ += free(e) ? std::exp(z[e] - top_) : 0.0;
    }
  }
  double of(std::size_t e) const { return free(e) ? std::exp(z_[e] - top_) / sum_ : 0.0; }

 private:
  bool free(std::size_t e) const { return !(use_bar_ && barred_[e]); }

  std::span<const double> z_;
  std::span<const char> barred_;
  bool use_bar_ = true;
  double top_ = -std::numeric_limits<double>::infinity(), sum_ = 0;
};

inline void choose_top_k(Weights weights, Routing& routing) {
  routing.weights.fill(0);
  for (int r = 0; r < routing.rows; ++r) {
    const auto z = routing.logits.row(r);
    const auto w = routing.weights.row(r);
    // The row's place in the slot table serves as scratch; the policy fills the table afterwards.
    const std::span<int> best(routing.row_slots.data() + static_cast<std::size_t>(r) * routing.k, routing.k);
    const auto chosen = best.first(best_experts(z, routing.barred, best));
    if (weights == Weights::renormalised) {
      double sum = 0;
      for (int e : chosen) sum += w[e] = std::exp(z[e] - z[chosen[0]]);
      for (int e : chosen) w[e] /= sum;
    } else {
      const FreeSoftmax s(z, routing.barred);
      for (int e : chosen) w[e] = weights == Weights::raw ? s.of(e) : 1.0;
    }
    // Backends multiply in float: an expert whose weight is 0 there must not run, nor its batch norm see the row.
    for (int e : chosen)
      if (static_cast<float>(w[e]) == 0.0f) w[e] = 0;
  }
}

inline void top_k_backward(Weights weights, const Routing& routing, const Matrix& dweights, Matrix& dlogits) {
  for (int r = 0; r < routing.rows; ++r) {
    const auto w = routing.weights.row(r), dw = dweights.row(r);
    const auto dz = dlogits.row(r);
    if (weights == Weights::renormalised) {
      softmax_backward(w, dw, dz);  // w is 0 at the others: no share in the sum, no gradient
      continue;
    }
    const FreeSoftmax s(routing.logits.row(r), routing.barred);
    double mean = 0;
    for (std::size_t e = 0; e < w.size(); ++e) mean += w[e] > 0 ? s.of(e) * dw[e] : 0.0;
    for (std::size_t e = 0; e < w.size(); ++e) dz[e] += s.of(e) * ((w[e] > 0 ? dw[e] : 0.0) - mean);
  }
}

}  // namespace detail

/// The K experts with the largest logits serve a row. `TopK<2>`, `TopK<1, RouterOpts{.weights = Weights::raw}>`, or
/// `TopK<dynamic>{.k = 2}` where a program chooses.
template <int K, RouterOpts O = RouterOpts{}>
struct TopK {
  static_assert(K >= 1, "TopK<k>: k is the number of experts per row and must be at least 1");
  static_assert(O.weights != Weights::straight_through || K == 1,
                "TopK<k>: straight-through weights are defined for k = 1 only");
  static constexpr int k = K;
  static constexpr Weights weights = O.weights;
  static constexpr Noise noise = O.noise;

  void verify(int now, int experts, bool training) const { detail::verify_top_k(weights, now, experts, training); }
  void choose(Routing& routing) const { detail::choose_top_k(weights, routing); }
  void backward(const Routing& routing, const Matrix& dweights, Matrix& dlogits) const {
    detail::top_k_backward(weights, routing, dweights, dlogits);
  }
};

template <RouterOpts O>
struct TopK<dynamic, O> {
  int k = 2;
  Weights weights = O.weights;
  Noise noise = O.noise;

  void verify(int now, int experts, bool training) const { detail::verify_top_k(weights, now, experts, training); }
  void choose(Routing& routing) const { detail::choose_top_k(weights, routing); }
  void backward(const Routing& routing, const Matrix& dweights, Matrix& dlogits) const {
    detail::top_k_backward(weights, routing, dweights, dlogits);
  }
};

namespace detail {

/// Static k of a router, `dynamic` where only the object knows it.
template <class R>
consteval int static_k() {
  if constexpr (requires { requires !std::is_member_pointer_v<decltype(&R::k)>; })
    return R::k;
  else
    return dynamic;
}

template <class R>
consteval bool renormalises() {
  if constexpr (requires { requires std::is_same_v<decltype(&R::weights), const Weights*>; })
    return R::weights == Weights::renormalised;
  else
    return false;
}

/// Upper bound of a static k.
template <int N>
inline constexpr int most_experts = N == dynamic ? std::numeric_limits<int>::max() : N;

}  // namespace detail

template <int k, int N>
concept EnoughExperts = (k <= N);

/// With one expert per row a renormalised weight is always 1: the gate would learn nothing.
template <int k, int N, bool renormalised>
concept GateGetsGradient = !(k == 1 && N > 1 && renormalised);

/// Router R can route among N experts and learns. Numbers that are `dynamic` are checked when the policy is made.
template <class R, int N>
concept LegalRouting = Router<R> && EnoughExperts<detail::static_k<R>(), detail::most_experts<N>> &&
                       GateGetsGradient<detail::static_k<R>(), N, detail::renormalises<R>()>;

/// LegalRouting with a sentence for each way to break it; a layer says once: `static_assert(CheckRouting<R,
/// N>::value)`.
template <class R, int N>
struct CheckRouting {
  static constexpr int k = detail::static_k<R>();
  static_assert(Router<R>, "the router needs k, noise, verify(), choose() and backward(), see concept Router");
  static_assert(EnoughExperts<k, detail::most_experts<N>>,
                "TopK<k>: k must not be larger than the number of experts N");
  static_assert(GateGetsGradient<k, N, detail::renormalises<R>()>,
                "TopK<1> with renormalised weights gives the gate no gradient; choose Weights::raw or "
                "Weights::straight_through, or k = 2");
  static constexpr bool value = true;
};

}  // namespace moecnn
