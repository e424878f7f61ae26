#pragma once
/// \file
/// ResNet-50 (He et al., 2016), also with dilation instead of strides, as segmentation networks need it.

#include "moecnn/layer/batch_norm.hpp"
#include "moecnn/layer/linear.hpp"
#include "moecnn/zoo/features.hpp"
#include "moecnn/zoo/seg_moe.hpp"

#include <array>

namespace moecnn {

/// Residual block: relu(bn3(conv3(relu(bn2(conv2(relu(bn1(conv1 x)))))) + shortcut x) of a 1×1, a 3×3 and a 1×1
/// convolution. The 3×3 convolution carries stride and dilation. The shortcut is a 1×1 convolution and batch norm
/// (`downsample.0`, `downsample.1`) where the shape changes, else x itself.
template <int In, int Width, int Stride = 1, int Dilation = 1>
struct Bottleneck {
  static constexpr int in = In, out = 4 * Width;

  template <class Mix = NoMixtures>
  Value<out> wire(Recorder& g, Value<In> x, const Mix& mix = {}) const {
    constexpr ConvOpts same{.init = Init::kaiming_normal};
    constexpr ConvOpts square{
        .kernel = 3, .stride = Stride, .pad = Dilation, .dilation = Dilation, .init = Init::kaiming_normal};
    auto y = g.relu(g("bn1", BatchNorm<Width>{}, g("conv1", Conv<In, Width, same>{}, x)));
    y = g.relu(g("bn2", BatchNorm<Width>{}, conv2(g, Conv<Width, Width, square>{}, y, mix)));
    const auto z = g("bn3", BatchNorm<out>{}, g("conv3", Conv<Width, out, same>{}, y));
    return g.relu(g.add(z, shortcut(g, x)));
  }

 private:
  /// Only convolutions that keep the map's size can be mixtures.
  template <ConvOpts O, class Mix>
  static Value<Width> conv2(Recorder& g, const Conv<Width, Width, O>& conv, Value<Width> x, const Mix& mix) {
    if constexpr (Stride == 1)
      return mix.conv(g, "conv2", conv, x);
    else
      return g("conv2", conv, x);
  }
  static Value<out> shortcut(Recorder& g, Value<In> x) {
    if constexpr (In == out && Stride == 1) {
      return x;
    } else {
      constexpr ConvOpts project{.stride = Stride, .init = Init::kaiming_normal};
      const auto scope = g.scope("downsample");
      return g("1", BatchNorm<out>{}, g("0", Conv<In, out, project>{}, x));
    }
  }
};

struct BottleneckOpts {
  int blocks = 3, stride = 1;  ///< the stride is the first block's
  int first_dilation = 1, dilation = 1;
};

/// A stage of ResNet: blocks `0`, `1`, …, of which all but the first are alike.
template <int In, int Width, BottleneckOpts O>
struct BottleneckStage {
  static constexpr int in = In, out = 4 * Width;

  Value<out> wire(Recorder& g, Value<In> x) const {
    auto y = g("0", Bottleneck<In, Width, O.stride, O.first_dilation>{}, x);
    for (int b = 1; b < O.blocks; ++b) y = g(std::to_string(b), Bottleneck<out, Width, 1, O.dilation>{}, y);
    return y;
  }
};

/// A last stage of three blocks on a map of 1/16 or 1/8: strides become dilation, each block with its own (a multi-grid).
/// Its 3×3 convolutions are candidates.
template <int D0, int D1, int D2>
struct DilatedStage {
  static constexpr int in = 1024, out = 2048;

  Value<2048> wire(Recorder& g, Value<1024> x, const Mixtures& mix) const {
    const auto a = g("0", Bottleneck<1024, 512, 1, D0>{}, x, mix);
    const auto b = g("1", Bottleneck<2048, 512, 1, D1>{}, a, mix);
    return g("2", Bottleneck<2048, 512, 1, D2>{}, b, mix);
  }
};

/// The stem for ImageNet: 7×7 convolution with stride 2 and max-pooling, `conv1` and `bn1`. The map is a quarter.
inline Value<64> resnet_stem(Recorder& g, Value<3> image) {
  constexpr ConvOpts opts{.kernel = 7, .stride = 2, .pad = 3, .init = Init::kaiming_normal};
  const auto x = g.relu(g("bn1", BatchNorm<64>{}, g("conv1", Conv<3, 64, opts>{}, image)));
  return g.max_pool(x, {.kernel = 3, .stride = 2, .pad = 1});
}

/// ResNet-50 for ImageNet. Weights of torchvision's resnet50 fit.
template <int Classes = 1000>
struct ResNet50 {
  static constexpr int in = 3, out = Classes;
  using Maps = Features<512, 1024, 2048>;

  Value<Classes> wire(Recorder& g, Value<3> image) const {
    return g("fc", Linear<2048, Classes>{}, g.global_avg_pool(features(g, image).c5));
  }

  /// The last three stages, for a detector.
  static Maps features(Recorder& g, Value<3> image) {
    const auto a = g("layer1", BottleneckStage<64, 64, BottleneckOpts{}>{}, resnet_stem(g, image));
    const auto c3 = g("layer2", BottleneckStage<256, 128, BottleneckOpts{.blocks = 4, .stride = 2}>{}, a);
    const auto c4 = g("layer3", BottleneckStage<512, 256, BottleneckOpts{.blocks = 6, .stride = 2}>{}, c3);
    return {c3, c4, g("layer4", BottleneckStage<1024, 512, BottleneckOpts{.stride = 2}>{}, c4)};
  }
};

}  // namespace moecnn
