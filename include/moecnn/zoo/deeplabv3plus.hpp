#pragma once
/// \file
/// DeepLabv3+ (Chen et al., 2018) on ResNet-50, output stride 16.

#include "moecnn/zoo/resnet50.hpp"

namespace moecnn {
namespace deeplab {

/// The backbone's results for the decoder: maps of 1/16 and of 1/4.
struct Features {
  Value<2048> high;
  Value<256> low;
};

/// ResNet-50 with stride 16: the last stage has the dilations 2, 4, 8 instead of a stride.
struct Backbone {
  static constexpr int in = 3;

  Features wire(Recorder& g, Value<3> image, const Mixtures& mix) const {
    const auto a = g("layer1", BottleneckStage<64, 64, BottleneckOpts{}>{}, resnet_stem(g, image));
    const auto b = g("layer2", BottleneckStage<256, 128, BottleneckOpts{.blocks = 4, .stride = 2}>{}, a);
    const auto c = g("layer3", BottleneckStage<512, 256, BottleneckOpts{.blocks = 6, .stride = 2}>{}, b);
    return {g("layer4", DilatedStage<2, 4, 8>{}, c, mix), a};
  }
};

/// Convolution, batch norm and ReLU of one dilation; dilation 1 is a 1×1 convolution.
template <int Dilation>
struct Atrous {
  static constexpr int in = 2048, out = 256;

  Value<256> wire(Recorder& g, Value<2048> x) const {
    constexpr int kernel = Dilation == 1 ? 1 : 3, pad = Dilation == 1 ? 0 : Dilation;
    constexpr ConvOpts opts{.kernel = kernel, .pad = pad, .dilation = Dilation, .init = Init::kaiming_normal};
    return g.relu(g("bn", BatchNorm<256>{}, g("atrous_conv", Conv<2048, 256, opts>{}, x)));
  }
};

/// Atrous spatial pyramid pooling: four dilations and the mean of the whole map, joined by a 1×1 convolution.
struct Aspp {
  static constexpr int in = 2048, out = 256;

  Value<256> wire(Recorder& g, Value<2048> x) const {
    static constexpr ConvOpts one{.init = Init::kaiming_normal};
    const auto a = g("aspp1", Atrous<1>{}, x);
    const auto b = g("aspp2", Atrous<6>{}, x);
    const auto c = g("aspp3", Atrous<12>{}, x);
    const auto d = g("aspp4", Atrous<18>{}, x);
    const auto mean = [&] {
      const auto scope = g.scope("global_avg_pool");
      return g.relu(g("2", BatchNorm<256>{}, g("1", Conv<2048, 256, one>{}, g.global_avg_pool(x))));
    }();
    const auto all = g.concat(a, b, c, d, g.resize(mean, g.size(d), {.align_corners = true}));
    return g.dropout(g.relu(g("bn1", BatchNorm<256>{}, g("conv1", Conv<1280, 256, one>{}, all))), 0.5);
  }
};

/// Joins the pyramid's map with the fine one and classifies every pixel of it.
template <int Classes>
struct Decoder {
  Value<Classes> wire(Recorder& g, Value<256> x, Value<256> low, const Mixtures& mix) const {
    static constexpr ConvOpts one{.init = Init::kaiming_normal};
    static constexpr ConvOpts square{.kernel = 3, .pad = 1, .init = Init::kaiming_normal};
    const auto fine = g.relu(g("bn1", BatchNorm<48>{}, g("conv1", Conv<256, 48, one>{}, low)));
    const auto both = g.concat(g.resize(x, g.size(fine), {.align_corners = true}), fine);
    const auto scope = g.scope("last_conv");
    auto y = g.relu(g("1", BatchNorm<256>{}, mix.conv(g, "0", Conv<304, 256, square>{}, both)));
    y = g.dropout(y, 0.5);
    y = g.relu(g("5", BatchNorm<256>{}, mix.conv(g, "4", Conv<256, 256, square>{}, y)));
    return mix.conv(g, "8", Conv<256, Classes, ConvOpts{.bias = true}>{}, g.dropout(y, 0.1));
  }
};

}  // namespace deeplab

/// DeepLabv3+ for images of any size; logits have the size of the images. Parameter names are those of
/// github.com/jfzhang95/pytorch-deeplab-xception; below `backbone.` they are torchvision's of resnet50.
template <int Classes = 19>
struct DeepLabV3Plus {
  static constexpr int in = 3, out = Classes;
  static constexpr Candidates candidates{
      .net = "DeepLabv3+",
      .encoder_last = {"backbone.layer4.2.conv2", "backbone.layer4.1.conv2", "backbone.layer4.0.conv2"},
      .decoder_first = {"decoder.last_conv.0", "decoder.last_conv.4", "decoder.last_conv.8"},
      .decoder_last = {"decoder.last_conv.4", "decoder.last_conv.0", "decoder.last_conv.8"}};
  SegMoE moe{};

  Value<Classes> wire(Recorder& g, Value<3> image) const {
    const Mixtures mix(g, moe, candidates);
    const auto features = g("backbone", deeplab::Backbone{}, image, mix);
    const auto x = g("aspp", deeplab::Aspp{}, features.high);
    const auto y = g("decoder", deeplab::Decoder<Classes>{}, x, features.low, mix);
    return g.resize(y, g.size(image), {.align_corners = true});
  }
};

}  // namespace moecnn
