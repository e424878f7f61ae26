#pragma once
#include "moecnn/graph/recorder.hpp"

namespace moecnn {

/// Batch normalisation per channel, see ops::BatchNorm. Parameters `weight`, `bias`; buffers `running_mean`,
/// `running_var`.
template <int C>
struct BatchNorm {
  static constexpr int in = C, out = C;
  double eps = 1e-5;
  double momentum = 0.1;

  Value<C> wire(Recorder& g, Value<C> x) const {
    const int first = g.param("weight", {C}, Init::ones);
    const int bias = g.param("bias", {C}, Init::zeros);
    const int mean = g.buffer("running_mean", {C}, Init::zeros);
    const int variance = g.buffer("running_var", {C}, Init::ones);
    ops::BatchNorm op;
    op.channels = C;
    op.eps = eps;
    op.momentum = momentum;
    return {g.record(op, {x.edge}, C, g.extent(x), {first, bias, mean, variance})};
  }
};

}  // namespace moecnn
