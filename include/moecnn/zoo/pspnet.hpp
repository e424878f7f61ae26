#pragma once
/// \file
/// PSPNet (Zhao et al., 2017) on ResNet-50, output stride 8.

#include "moecnn/zoo/resnet50.hpp"

namespace moecnn {
namespace pspnet {

/// Three 3×3 convolutions and max-pooling: `0` to `9` of a sequence.
struct DeepStem {
  static constexpr int in = 3, out = 128;

  Value<128> wire(Recorder& g, Value<3> image) const {
    constexpr ConvOpts half{.kernel = 3, .stride = 2, .pad = 1, .init = Init::kaiming_normal};
    constexpr ConvOpts same{.kernel = 3, .pad = 1, .init = Init::kaiming_normal};
    auto x = g.relu(g("1", BatchNorm<64>{}, g("0", Conv<3, 64, half>{}, image)));
    x = g.relu(g("4", BatchNorm<64>{}, g("3", Conv<64, 64, same>{}, x)));
    const auto y = g.relu(g("7", BatchNorm<128>{}, g("6", Conv<64, 128, same>{}, x)));
    return g.max_pool(y, {.kernel = 3, .stride = 2, .pad = 1});
  }
};

/// Pyramid pooling: the map itself and its means over 1, 4, 9 and 36 parts.
struct Pyramid {
  static constexpr int in = 2048, out = 4096;

  Value<4096> wire(Recorder& g, Value<2048> x) const {
    const auto scope = g.scope("features");
    const auto level = [&](const char* name, int bins) {
      const auto inner = g.scope(name);
      const auto y = g.relu(g("2", BatchNorm<512>{}, g("1", Conv<2048, 512>{}, g.adaptive_avg_pool(x, bins))));
      return g.resize(y, g.size(x), {.align_corners = true});
    };
    const auto a = level("0", 1), b = level("1", 2), c = level("2", 3), d = level("3", 6);
    return g.concat(x, a, b, c, d);
  }
};

/// 3×3 convolution, batch norm, ReLU, dropout, 1×1 convolution to classes, and the map at the size of the labels.
template <int In, int Width, int Classes>
struct Head {
  static constexpr int in = In, out = Classes;

  template <class Mix = NoMixtures>
  Value<Classes> wire(Recorder& g, Value<In> x, Size2 size, const Mix& mix = {}) const {
    auto y = mix.conv(g, "0", Conv<In, Width, ConvOpts{.kernel = 3, .pad = 1}>{}, x);
    y = g.spatial_dropout(g.relu(g("1", BatchNorm<Width>{}, y)), 0.1);
    const auto logits = mix.conv(g, "4", Conv<Width, Classes, ConvOpts{.bias = true}>{}, y);
    return g.resize(logits, size, {.align_corners = true});
  }
};

}  // namespace pspnet

/// PSPNet for images whose sides are 8 n + 1; logits have the size of the images. Parameter names are those of
/// github.com/hszhao/semseg. The value `aux` holds the logits of a head on the third stage, for
/// `ModelOpts{.auxiliary = {{.value = "aux", .factor = 0.4}}}`.
template <int Classes = 19>
struct PspNet {
  static constexpr int in = 3, out = Classes;
  static constexpr Candidates candidates{.net = "PSPNet",
                                         .encoder_last = {"layer4.2.conv2", "layer4.1.conv2", "layer4.0.conv2"},
                                         .decoder_first = {"cls.0", "cls.4"},
                                         .decoder_last = {"cls.4", "cls.0"}};
  SegMoE moe{};
  bool aux = true;  ///< false: no such head and no such parameters, as in the reference's networks for inference

  Value<Classes> wire(Recorder& g, Value<3> image) const {
    const Size2 size = g.size(image);
    check(size.h % 8 == 1 && size.w % 8 == 1,
          "PSPNet aligns the corners of its maps with those of the image, whose sides must be 8 n + 1, not {}x{}; crop "
          "or resize to {}x{}",
          size.h, size.w, (size.h + 6) / 8 * 8 + 1, (size.w + 6) / 8 * 8 + 1);
    const Mixtures mix(g, moe, candidates);
    const auto a = g("layer1", BottleneckStage<128, 64, BottleneckOpts{}>{}, g("layer0", pspnet::DeepStem{}, image));
    const auto b = g("layer2", BottleneckStage<256, 128, BottleneckOpts{.blocks = 4, .stride = 2}>{}, a);
    static constexpr BottleneckOpts dilated{.blocks = 6, .first_dilation = 2, .dilation = 2};
    const auto c = g("layer3", BottleneckStage<512, 256, dilated>{}, b);
    const auto d = g("layer4", DilatedStage<4, 4, 4>{}, c, mix);
    const auto logits = g("cls", pspnet::Head<4096, 512, Classes>{}, g("ppm", pspnet::Pyramid{}, d), size, mix);
    if (aux) g("aux", pspnet::Head<1024, 256, Classes>{}, c, size);
    return logits;
  }
};

}  // namespace moecnn
