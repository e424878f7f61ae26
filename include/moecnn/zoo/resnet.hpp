#pragma once
/// \file
/// ResNet-18 (He et al., 2016), for small images and for ImageNet.

#include "moecnn/layer/basic_block.hpp"
#include "moecnn/layer/linear.hpp"
#include "moecnn/zoo/features.hpp"

namespace moecnn {

/// ResNet-18 for 32×32 images: a 3×3 stem without max-pooling and four stages. Parameter names are torchvision's.
template <int Classes = 100>
struct CifarResNet18 {
  static constexpr int in = 3, out = Classes;

  Value<Classes> wire(Recorder& g, Value<3> image) const {
    auto x = stem(g, image);
    x = g("layer1", ResStage<64, 64>{}, x);
    const auto y =
        g("layer4", ResStage<256, 512>{}, g("layer3", ResStage<128, 256>{}, g("layer2", ResStage<64, 128>{}, x)));
    return head(g, y);
  }

  static Value<64> stem(Recorder& g, Value<3> image) {
    return g.relu(g("bn1", BatchNorm<64>{}, g("conv1", Conv<3, 64, ConvOpts{.kernel = 3, .pad = 1}>{}, image)));
  }
  static Value<Classes> head(Recorder& g, Value<512> x) {
    return g("fc", Linear<512, Classes>{}, g.global_avg_pool(x));
  }
};

/// ResNet-18 for ImageNet: 7×7 stem, max-pooling, 1000 classes. Weights of torchvision's resnet18 fit.
template <int Classes = 1000>
struct ResNet18 {
  static constexpr int in = 3, out = Classes;
  using Maps = Features<128, 256, 512>;

  Value<Classes> wire(Recorder& g, Value<3> image) const {
    return g("fc", Linear<512, Classes>{}, g.global_avg_pool(features(g, image).c5));
  }

  /// The last three stages, for a detector.
  static Maps features(Recorder& g, Value<3> image) {
    const auto x = g("layer1", ResStage<64, 64>{}, stem(g, image));
    const auto c3 = g("layer2", ResStage<64, 128>{}, x);
    const auto c4 = g("layer3", ResStage<128, 256>{}, c3);
    return {c3, c4, g("layer4", ResStage<256, 512>{}, c4)};
  }

  static Value<64> stem(Recorder& g, Value<3> image) {
    constexpr Init init = Init::kaiming_normal;
    const auto x = g("conv1", Conv<3, 64, ConvOpts{.kernel = 7, .stride = 2, .pad = 3, .init = init}>{}, image);
    return g.max_pool(g.relu(g("bn1", BatchNorm<64>{}, x)), {.kernel = 3, .stride = 2, .pad = 1});
  }
};

}  // namespace moecnn
