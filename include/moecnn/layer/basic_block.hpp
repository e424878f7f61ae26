#pragma once
#include "moecnn/layer/batch_norm.hpp"
#include "moecnn/layer/conv.hpp"

namespace moecnn {

/// Residual block of ResNet-18 and -34 (He et al., 2016): relu(bn2(conv2(relu(bn1(conv1 x)))) + shortcut x), both
/// convolutions 3×3. The shortcut is a 1×1 convolution and batch norm (`downsample.0`, `downsample.1`) where the shape
/// changes, else x itself.
template <int In, int Out, int Stride = 1, Init I = Init::kaiming_normal>
struct BasicBlock {
  static constexpr int in = In, out = Out;

  Value<Out> wire(Recorder& g, Value<In> x) const {
    auto y = g("conv1", Conv<In, Out, ConvOpts{.kernel = 3, .stride = Stride, .pad = 1, .init = I}>{}, x);
    y = g.relu(g("bn1", BatchNorm<Out>{}, y));
    y = g("conv2", Conv<Out, Out, ConvOpts{.kernel = 3, .pad = 1, .init = I}>{}, y);
    y = g("bn2", BatchNorm<Out>{}, y);
    return g.relu(g.add(y, shortcut(g, x)));
  }

 private:
  static Value<Out> shortcut(Recorder& g, Value<In> x) {
    if constexpr (In == Out && Stride == 1) {
      return x;
    } else {
      const auto scope = g.scope("downsample");
      return g("1", BatchNorm<Out>{}, g("0", Conv<In, Out, ConvOpts{.kernel = 1, .stride = Stride, .init = I}>{}, x));
    }
  }
};

/// A stage of ResNet-18: two blocks, `0` and `1`; the first may halve the map.
template <int In, int Out, int Stride = (In == Out ? 1 : 2)>
struct ResStage {
  static constexpr int in = In, out = Out;

  Value<Out> wire(Recorder& g, Value<In> x) const {
    return g("1", BasicBlock<Out, Out>{}, g("0", BasicBlock<In, Out, Stride>{}, x));
  }
};

}  // namespace moecnn
