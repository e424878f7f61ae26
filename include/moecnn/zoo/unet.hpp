#pragma once
/// \file
/// U-Net (Ronneberger et al., 2015) with padded convolutions and batch norms.

#include "moecnn/layer/batch_norm.hpp"
#include "moecnn/layer/conv_transpose.hpp"
#include "moecnn/zoo/seg_moe.hpp"

namespace moecnn {
namespace unet {

/// Twice: 3×3 convolution, batch norm, ReLU.
template <int In, int Out>
struct DoubleConv {
  static constexpr int in = In, out = Out;

  template <class Mix = NoMixtures>
  Value<Out> wire(Recorder& g, Value<In> x, const Mix& mix = {}) const {
    constexpr ConvOpts same{.kernel = 3, .pad = 1};
    const auto scope = g.scope("double_conv");
    const auto y = g.relu(g("1", BatchNorm<Out>{}, mix.conv(g, "0", Conv<In, Out, same>{}, x)));
    return g.relu(g("4", BatchNorm<Out>{}, mix.conv(g, "3", Conv<Out, Out, same>{}, y)));
  }
};

template <int In, int Out>
struct Down {
  static constexpr int in = In, out = Out;

  template <class Mix = NoMixtures>
  Value<Out> wire(Recorder& g, Value<In> x, const Mix& mix = {}) const {
    const auto scope = g.scope("maxpool_conv");
    return g("1", DoubleConv<In, Out>{}, g.max_pool(x, {.kernel = 2, .stride = 2}), mix);
  }
};

/// Doubles the map and halves its channels, puts zeros around it where the skip's map is larger, and joins the two.
template <int In, int Out>
struct Up {
  static constexpr int in = In, out = Out;

  template <class Mix = NoMixtures>
  Value<Out> wire(Recorder& g, Value<In> x, Value<In / 2> skip, const Mix& mix = {}) const {
    constexpr ConvTransposeOpts twice{.kernel = 2, .stride = 2, .bias = true};
    const auto y = g.pad_around(g("up", ConvTranspose<In, In / 2, twice>{}, x), g.size(skip));
    return g("conv", DoubleConv<In, Out>{}, g.concat(skip, y), mix);
  }
};

}  // namespace unet

/// U-Net with transposed convolutions for images of any size from 16×16 on; logits have the size of the images. Parameter
/// names are those of github.com/milesial/Pytorch-UNet.
template <int Classes = 19>
struct UNet {
  static constexpr int in = 3, out = Classes;
  static constexpr Candidates candidates{
      .net = "U-Net",
      .encoder_last = {"down4.maxpool_conv.1.double_conv.3", "down4.maxpool_conv.1.double_conv.0",
                       "down3.maxpool_conv.1.double_conv.3"},
      .decoder_first = {"up1.conv.double_conv.0", "up1.conv.double_conv.3", "up2.conv.double_conv.0"},
      .decoder_last = {"up4.conv.double_conv.3", "up4.conv.double_conv.0", "up3.conv.double_conv.3"}};
  SegMoE moe{};

  Value<Classes> wire(Recorder& g, Value<3> image) const {
    using namespace unet;
    const Mixtures mix(g, moe, candidates);
    const auto a = g("inc", DoubleConv<3, 64>{}, image);
    const auto b = g("down1", Down<64, 128>{}, a);
    const auto c = g("down2", Down<128, 256>{}, b);
    const auto d = g("down3", Down<256, 512>{}, c, mix);
    const auto e = g("down4", Down<512, 1024>{}, d, mix);
    const auto u = g("up1", Up<1024, 512>{}, e, d, mix);
    const auto v = g("up2", Up<512, 256>{}, u, c, mix);
    const auto w = g("up3", Up<256, 128>{}, v, b, mix);
    const auto x = g("up4", Up<128, 64>{}, w, a, mix);
    const auto scope = g.scope("outc");
    return g("conv", Conv<64, Classes, ConvOpts{.bias = true}>{}, x);
  }
};

}  // namespace moecnn
