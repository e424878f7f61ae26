#pragma once
#include "check_layer.hpp"
#include "moecnn/moe/gate.hpp"

namespace mixture_test {

using namespace moecnn;

/// A gate alone: its logits are the network's result.
template <class Gate, int N, int C = 5>
struct GateNet {
  static constexpr int in = C;
  Gate gate{};
  int experts = N;
  Value<N> wire(Recorder& g, Value<in> x) const {
    const auto scope = g.scope("gate");
    return {gate.template wire<N, in>(g, x, Experts<N>{experts}).edge};
  }
};

}  // namespace mixture_test
