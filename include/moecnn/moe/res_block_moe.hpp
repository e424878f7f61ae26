#pragma once
#include "moecnn/moe/expert.hpp"
#include "moecnn/moe/moe.hpp"

namespace moecnn {

/// A mixture instead of a residual stage: y = MoE(x) + D(x). D is x itself where the shape stays, else a 1×1
/// convolution and batch norm, `shortcut.0` and `shortcut.1`. No activation after the sum.
template <class Expert, int N, class Router = TopK<2>, class Gate = gate::GapLinear, class Balance = balance::None,
          class Constraint = constraint::None>
struct ResBlockMoE {
  static constexpr int in = Expert::in, out = Expert::out;

  MoE<Expert, N, Router, Gate, Balance, Constraint> mixture{};

  Value<out> wire(Recorder& g, Value<in> x) const {
    const auto y = mixture.wire(g, x);
    if constexpr (in == out && Expert::stride == 1) {
      return g.add(y, x);
    } else {
      const auto scope = g.scope("shortcut");
      const auto d = g("0", Conv<in, out, ConvOpts{.kernel = 1, .stride = Expert::stride}>{}, x);
      return g.add(g("1", BatchNorm<out>{}, d), y);
    }
  }
};

}  // namespace moecnn
