#pragma once
/// \file
/// ERFNet (Romera et al., 2018): residual blocks of 3×1 and 1×3 convolutions.

#include "moecnn/layer/batch_norm.hpp"
#include "moecnn/layer/conv_transpose.hpp"
#include "moecnn/zoo/seg_moe.hpp"

namespace moecnn {
namespace erfnet {

inline constexpr double eps = 1e-3;  // of every batch norm

/// Halves the map: 3×3 convolution with stride 2, Out - In channels, beside max-pooling, In channels.
template <int In, int Out>
struct Down {
  static constexpr int in = In, out = Out;

  Value<Out> wire(Recorder& g, Value<In> x) const {
    const Size2 size = g.size(x);
    check(size.h % 2 == 0 && size.w % 2 == 0,
          "{}: ERFNet halves maps whose sides are even, this one has {}x{} pixels; give it images whose sides are "
          "multiples of 8",
          g.path(), size.h, size.w);
    using Half = Conv<In, Out - In, ConvOpts{.kernel = 3, .stride = 2, .pad = 1, .bias = true}>;
    const auto y = g("conv", Half{}, x);
    const auto both = g.concat(y, g.max_pool(x, {.kernel = 2, .stride = 2}));
    return g.relu(g("bn", BatchNorm<Out>{.eps = eps}, both));
  }
};

/// Non-bottleneck-1D: x + dropout(1×3(3×1(1×3(3×1(x))))), the second pair dilated.
template <int C, int Dilation = 1>
struct Factorised {
  static constexpr int in = C, out = C;
  double drop = 0;

  template <class Mix = NoMixtures>
  Value<C> wire(Recorder& g, Value<C> x, const Mix& mix = {}) const {
    auto y = g.relu(mix.conv(g, "conv3x1_1", Tall<1>{}, x));
    y = g.relu(g("bn1", BatchNorm<C>{.eps = eps}, mix.conv(g, "conv1x3_1", Wide<1>{}, y)));
    y = g.relu(mix.conv(g, "conv3x1_2", Tall<Dilation>{}, y));
    y = g("bn2", BatchNorm<C>{.eps = eps}, mix.conv(g, "conv1x3_2", Wide<Dilation>{}, y));
    return g.relu(g.add(g.spatial_dropout(y, drop), x));
  }

 private:
  template <int D>
  using Tall = Conv<C, C, ConvOpts{.kernel = {3, 1}, .pad = {D, 0}, .dilation = {D, 1}, .bias = true}>;
  template <int D>
  using Wide = Conv<C, C, ConvOpts{.kernel = {1, 3}, .pad = {0, D}, .dilation = {1, D}, .bias = true}>;
};

/// Doubles the map by a transposed convolution.
template <int In, int Out>
struct Up {
  static constexpr int in = In, out = Out;

  Value<Out> wire(Recorder& g, Value<In> x) const {
    constexpr ConvTransposeOpts twice{.kernel = 3, .stride = 2, .pad = 1, .out_pad = 1, .bias = true};
    return g.relu(g("bn", BatchNorm<Out>{.eps = eps}, g("conv", ConvTranspose<In, Out, twice>{}, x)));
  }
};

}  // namespace erfnet

/// ERFNet for images whose sides are multiples of 8; logits have the size of the images. Parameter names are those of
/// github.com/Eromera/erfnet_pytorch, the classifier of the encoder included. It serves only the encoder's own
/// pre-training: it is stored and never run.
template <int Classes = 19>
struct ERFNet {
  static constexpr int in = 3, out = Classes;
  static constexpr Candidates candidates{
      .net = "ERFNet",
      .encoder_last = {"encoder.layers.14.conv1x3_2", "encoder.layers.14.conv3x1_2", "encoder.layers.14.conv1x3_1"},
      .decoder_first = {"decoder.layers.1.conv3x1_1", "decoder.layers.1.conv1x3_1", "decoder.layers.1.conv3x1_2"},
      .decoder_last = {"decoder.layers.5.conv1x3_2", "decoder.layers.5.conv3x1_2", "decoder.layers.5.conv1x3_1"}};
  SegMoE moe{};

  Value<Classes> wire(Recorder& g, Value<3> image) const {
    const Mixtures mix(g, moe, candidates);
    return decoder(g, encoder(g, image, mix), mix);
  }

 private:
  static Value<128> encoder(Recorder& g, Value<3> image, const Mixtures& mix) {
    using namespace erfnet;
    const auto scope = g.scope("encoder");
    const auto stem = g("initial_block", Down<3, 16>{}, image);
    const auto y = layers(g, stem, mix);
    const auto unused = g.scope("output_conv");
    g.param("weight", {Classes, 128, 1, 1}, Init::kaiming_uniform);
    g.param("bias", {Classes}, Init::fan_in_uniform, 128);
    return y;
  }
  static Value<128> layers(Recorder& g, Value<16> stem, const Mixtures& mix) {
    using namespace erfnet;
    const auto scope = g.scope("layers");
    auto x = g("0", Down<16, 64>{}, stem);
    for (const char* name : {"1", "2", "3", "4", "5"}) x = g(name, Factorised<64>{.drop = 0.03}, x);
    auto y = g("6", Down<64, 128>{}, x);
    y = g("8", Factorised<128, 4>{.drop = 0.3}, g("7", Factorised<128, 2>{.drop = 0.3}, y));
    y = g("10", Factorised<128, 16>{.drop = 0.3}, g("9", Factorised<128, 8>{.drop = 0.3}, y));
    y = g("12", Factorised<128, 4>{.drop = 0.3}, g("11", Factorised<128, 2>{.drop = 0.3}, y));
    return g("14", Factorised<128, 16>{.drop = 0.3}, g("13", Factorised<128, 8>{.drop = 0.3}, y), mix);
  }
  static Value<Classes> decoder(Recorder& g, Value<128> x, const Mixtures& mix) {
    using namespace erfnet;
    const auto scope = g.scope("decoder");
    const auto y = [&] {
      const auto inner = g.scope("layers");
      const auto a = g("1", Factorised<64>{}, g("0", Up<128, 64>{}, x), mix);
      const auto b = g("3", Up<64, 16>{}, g("2", Factorised<64>{}, a));
      return g("5", Factorised<16>{}, g("4", Factorised<16>{}, b), mix);
    }();
    return g("output_conv", ConvTranspose<16, Classes, ConvTransposeOpts{.kernel = 2, .stride = 2, .bias = true}>{}, y);
  }
};

}  // namespace moecnn
