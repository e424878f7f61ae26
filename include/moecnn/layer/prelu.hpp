#pragma once
#include "moecnn/graph/recorder.hpp"

namespace moecnn {

enum class Slopes : bool { shared, per_channel };

/// ReLU with a learned slope below 0, 1/4 at the start; see ops::PRelu. Parameter `weight`: [1], or [C] per channel.
template <int C, Slopes S = Slopes::shared>
struct PRelu {
  static constexpr int in = C, out = C;

  Value<C> wire(Recorder& g, Value<C> x) const {
    constexpr int weights = S == Slopes::shared ? 1 : C;
    return {g.record(ops::PRelu{weights}, {x.edge}, C, g.extent(x), {g.param("weight", {weights}, Init::quarter)})};
  }
};

}  // namespace moecnn
