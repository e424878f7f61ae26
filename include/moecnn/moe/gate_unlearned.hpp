#pragma once
/// \file
/// Gates of the segmentation study that learn nothing: baselines for learned gates.

#include "moecnn/moe/gate.hpp"

namespace moecnn::gate {

/// Means over pixels, multiplied with N random vectors that never change: the buffer `weight` [N, C], N(0, 1).
struct Deterministic {
  template <int N, int C>
  Logits<N> wire(Recorder& g, Value<C> x, Experts<N> experts) const {
    const int weight = g.buffer("weight", {experts.count, C}, Init::normal);
    const ops::Linear op{.in = C, .out = experts.count, .bias = false};
    return {g.record(op, {g.global_avg_pool(x).edge}, experts.count, {g.extent(x).n, 1, 1}, {weight})};
  }
};

/// Means over pixels of the first N channels are the logits. Needs C ≥ N.
struct SingleEntry {
  template <int N, int C>
  Logits<N> wire(Recorder& g, Value<C> x, Experts<N> experts) const {
    check(experts.count <= g.channels(x),
          "{}: a single-entry gate reads one channel per expert; {} channels are too few for {}", g.place(),
          g.channels(x), experts.count);
    const auto first = g.template slice<dynamic>(g.global_avg_pool(x), 0, experts.count);
    return {first.edge};
  }
};

/// k experts at random for every row, others in every step, in evaluation too. All of them have the same weight: 1/k where
/// weights are renormalised, 1/N where they are raw. (The segmentation study's code gives each the weight 1 instead of 1/k;
/// a factor that experts learn.) With a router that adds learned noise, the noise would choose; MoE refuses that.
struct Random {
  bool takes_noise() const { return false; }

  template <int N, int C>
  Logits<N> wire(Recorder& g, Value<C> x, Experts<N> experts) const {
    return g.template random_logits<N>(x, experts.count);
  }
};

}  // namespace moecnn::gate
