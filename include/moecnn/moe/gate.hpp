#pragma once
/// \file
/// Gates: small modules that score every expert for every row. A gate of your own is a struct with one wire():
///
///     struct MyGate {
///       template <int N, int C>
///       Logits<N> wire(Recorder& g, Value<C> x, Experts<N> experts) const {
///         return logits_of<N>(g("fc", Linear<C, N>{experts.count}, g.global_avg_pool(x)));
///       }
///     };

#include "moecnn/layer/conv.hpp"
#include "moecnn/layer/linear.hpp"

namespace moecnn {

/// How many experts a gate has to score; `count` is the number also where N is `dynamic`.
template <int N>
struct Experts {
  int count = N;
};

/// Reads a gate's last value as logits.
template <int N>
Logits<N> logits_of(Value<N> logits) {
  return {logits.edge};
}

namespace gate {

/// Global average pool and a linear layer, `fc` [N, C]: the cheapest gate ("GAP-FC").
struct GapLinear {
  template <int N, int C>
  Logits<N> wire(Recorder& g, Value<C> x, Experts<N> experts) const {
    return logits_of<N>(g("fc", Linear<C, N>{experts.count}, g.global_avg_pool(x)));
  }
};

/// 3×3 convolution `conv` to 256 channels with padding 1 and bias, ReLU, global average pool, linear layer `fc`
/// [N, 256] ("Conv-GAP-FC").
struct ConvGapLinear {
  static constexpr int width = 256;

  template <int N, int C>
  Logits<N> wire(Recorder& g, Value<C> x, Experts<N> experts) const {
    auto y = g.relu(g("conv", Conv<C, width, ConvOpts{.kernel = 3, .pad = 1, .bias = true}>{}, x));
    return logits_of<N>(g("fc", Linear<width, N>{experts.count}, g.global_avg_pool(y)));
  }
};

/// ReLU, global average pool, linear layer: what the published code of the CIFAR study computed for its convolutional
/// gate, whose convolution never reached the output. For like-for-like comparison.
struct ReluGapLinear {
  template <int N, int C>
  Logits<N> wire(Recorder& g, Value<C> x, Experts<N> experts) const {
    return logits_of<N>(g("fc", Linear<C, N>{experts.count}, g.global_avg_pool(g.relu(x))));
  }
};

/// The logits of a gate that was wired before: one gate for several mixtures of N experts, each with a routing and noise
/// of its own. `const auto logits = g("gate", gate::GapLinear{}, x, Experts<4>{});` and then, for each,
/// `MoE<Expert, 4, TopK<2>, gate::Shared<4>>{.gate = {logits}}`.
template <int N>
struct Shared {
  Logits<N> logits{};
  Logits<N> noise{};       ///< scales of the noise that were wired with it; none: each mixture has its own
  std::string owner = {};  ///< the mixture whose gate it is and whose constraint's statistics they share; empty: none

  template <int M, int C>
  Logits<M> wire(Recorder& g, Value<C>, Experts<M>) const {
    static_assert(M == N, "gate::Shared<N>: the mixture must have as many experts as the gate scores");
    check(logits.edge >= 0, "{}: the shared gate has no logits; give it those of a gate that was wired before",
          g.place());
    return logits;
  }
};

/// Every row to one expert with weight 1 (analysis).
struct Fixed {
  int expert = 0;

  template <int N, int C>
  Logits<N> wire(Recorder& g, Value<C> x, Experts<N> experts) const {
    check(expert >= 0 && expert < experts.count, "{}: there is no expert {} among {}", g.place(), expert,
          experts.count);
    return {g.record(ops::ConstantScores{expert}, {x.edge}, experts.count, {g.extent(x).n, 1, 1})};
  }
};

/// The same logits for all experts (analysis): with k = N every expert runs with weight 1/N.
struct Uniform {
  template <int N, int C>
  Logits<N> wire(Recorder& g, Value<C> x, Experts<N> experts) const {
    return {g.record(ops::ConstantScores{}, {x.edge}, experts.count, {g.extent(x).n, 1, 1})};
  }
};

}  // namespace gate
}  // namespace moecnn
