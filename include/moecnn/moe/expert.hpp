#pragma once
/// \file
/// Experts. Any layer with `in`, `out` and a wire() that maps rows to rows can be one.

#include "moecnn/layer/basic_block.hpp"

namespace moecnn {

/// Two narrow residual blocks, In → Mid → Out, the expert of the CIFAR study: about half the work of the stage that the
/// mixture replaces, so that two active experts cost what the stage did. Both blocks have a projection shortcut.
template <int In, int Mid, int Out, int Stride = (In == Out ? 1 : 2)>
struct NarrowBlocks {
  static_assert(Mid != Out && In != Mid,
                "NarrowBlocks<In, Mid, Out>: Mid must differ from both, it is the narrow width");
  static constexpr int in = In, out = Out, stride = Stride;

  Value<Out> wire(Recorder& g, Value<In> x) const {
    const auto y = g("0", BasicBlock<In, Mid, Stride, Init::kaiming_uniform>{}, x);
    return g("1", BasicBlock<Mid, Out, 1, Init::kaiming_uniform>{}, y);
  }
};

}  // namespace moecnn
