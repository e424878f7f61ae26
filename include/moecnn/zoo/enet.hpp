#pragma once
/// \file
/// ENet (Paszke et al., 2016): bottlenecks on small maps, pooling indices instead of skip connections.

#include "moecnn/layer/batch_norm.hpp"
#include "moecnn/layer/conv_transpose.hpp"
#include "moecnn/layer/prelu.hpp"
#include "moecnn/zoo/seg_moe.hpp"

namespace moecnn {
namespace enet {

/// The encoder learns the slope of its activations, the decoder does not.
enum class Act : bool { relu, prelu };

template <Act A, int C>
Value<C> activate(Recorder& g, std::string_view name, Value<C> x) {
  if constexpr (A == Act::prelu)
    return g(name, PRelu<C>{}, x);
  else
    return g.relu(x);
}

/// Convolution, batch norm, activation under names[0], [1] and [2].
template <Act A, int Out, ConvOpts O, int In, class Mix = NoMixtures>
Value<Out> conv_norm_act(Recorder& g, const std::array<const char*, 3>& names, Value<In> x, const Mix& mix = {}) {
  const auto y = g(names[1], BatchNorm<Out>{}, mix.conv(g, names[0], Conv<In, Out, O>{}, x));
  return activate<A>(g, names[2], y);
}
inline constexpr std::array<const char*, 3> first{"0", "1", "2"}, second{"3", "4", "5"};

/// 3×3 convolution with stride 2 beside max-pooling of the image, 13 + 3 channels.
struct Initial {
  static constexpr int in = 3, out = 16;

  Value<16> wire(Recorder& g, Value<3> x) const {
    const auto main = g("main_branch", Conv<3, 13, ConvOpts{.kernel = 3, .stride = 2, .pad = 1}>{}, x);
    const auto both = g.concat(main, g.max_pool(x, {.kernel = 3, .stride = 2, .pad = 1}));
    return activate<Act::prelu>(g, "out_activation", g("batch_norm", BatchNorm<16>{}, both));
  }
};

/// The middle of a bottleneck, between its 1×1 convolutions: one 3×3 convolution, or 5×1 and 1×5.
enum class Middle : bool { square, asymmetric };

/// x + dropout(1×1(middle(1×1(x)))), with C / 4 channels inside.
template <int C, Act A, Middle M = Middle::square, int Dilation = 1>
struct Regular {
  static constexpr int in = C, out = C, inner = C / 4;
  double drop = 0.1;

  template <class Mix = NoMixtures>
  Value<C> wire(Recorder& g, Value<C> x, const Mix& mix = {}) const {
    auto y = narrow(g, x);
    y = middle(g, y, mix);
    return activate<A>(g, "out_activation", g.add(x, g.spatial_dropout(widen(g, y), drop)));
  }

 private:
  static Value<inner> narrow(Recorder& g, Value<C> x) {
    const auto scope = g.scope("ext_conv1");
    return conv_norm_act<A, inner, ConvOpts{}>(g, first, x);
  }
  template <class Mix>
  static Value<inner> middle(Recorder& g, Value<inner> x, const Mix& mix) {
    const auto scope = g.scope("ext_conv2");
    if constexpr (M == Middle::square) {
      return conv_norm_act<A, inner, ConvOpts{.kernel = 3, .pad = Dilation, .dilation = Dilation}>(g, first, x, mix);
    } else {
      const auto y = conv_norm_act<A, inner, ConvOpts{.kernel = {5, 1}, .pad = {2, 0}}>(g, first, x, mix);
      return conv_norm_act<A, inner, ConvOpts{.kernel = {1, 5}, .pad = {0, 2}}>(g, second, y, mix);
    }
  }
  static Value<C> widen(Recorder& g, Value<inner> x) {
    const auto scope = g.scope("ext_conv3");
    return conv_norm_act<A, C, ConvOpts{}>(g, first, x);
  }
};

/// The result of Down that Up needs: the positions of the largest values, and the size of the map before.
template <int In, int Out>
struct Pooled {
  Value<Out> map;
  Indices<In> where;
  Size2 size;
};

/// Halves the map: max-pooling, filled up with channels of zeros, plus a branch of convolutions.
template <int In, int Out>
struct Down {
  static constexpr int in = In, out = Out, inner = In / 4;
  double drop = 0.1;

  Pooled<In, Out> wire(Recorder& g, Value<In> x) const {
    constexpr ops::MaxPool window{.kernel = 2, .stride = 2};
    const auto ext = g.spatial_dropout(branch(g, x), drop);
    // Adding channels of zeros changes nothing: only the first In channels get the pooled map.
    const auto pooled = g.max_pool(x, window);
    const auto sum = g.add(pooled, g.slice<In>(ext));
    const auto y = g.concat(sum, g.slice<Out - In>(ext, In));
    return {activate<Act::prelu>(g, "out_activation", y), g.max_pool_indices(x, window), g.size(x)};
  }

 private:
  static Value<Out> branch(Recorder& g, Value<In> x) {
    const auto a = part<inner, ConvOpts{.kernel = 2, .stride = 2}>(g, "ext_conv1", x);
    const auto b = part<inner, ConvOpts{.kernel = 3, .pad = 1}>(g, "ext_conv2", a);
    return part<Out, ConvOpts{}>(g, "ext_conv3", b);
  }
  template <int To, ConvOpts O, int From>
  static Value<To> part(Recorder& g, const char* name, Value<From> x) {
    const auto scope = g.scope(name);
    return conv_norm_act<Act::prelu, To, O>(g, first, x);
  }
};

/// Doubles the map: 1×1 convolution and unpooling, plus a branch with a transposed convolution.
template <int In, int Out>
struct Up {
  static constexpr int in = In, out = Out, inner = In / 4;
  double drop = 0.1;

  Value<Out> wire(Recorder& g, Value<In> x, Indices<Out> where, Size2 size) const {
    const auto main = g.max_unpool(conv_norm<Out>(g, "main_conv1", x), where, size);
    auto y = g.relu(conv_norm<inner>(g, "ext_conv1", x));
    y = g("ext_tconv1", ConvTranspose<inner, inner, ConvTransposeOpts{.kernel = 2, .stride = 2}>{}, y, size);
    y = g.relu(g("ext_tconv1_bnorm", BatchNorm<inner>{}, y));
    return g.relu(g.add(main, g.spatial_dropout(conv_norm<Out>(g, "ext_conv2", y), drop)));
  }

 private:
  template <int To, int From>
  static Value<To> conv_norm(Recorder& g, const char* name, Value<From> x) {
    const auto scope = g.scope(name);
    return g("1", BatchNorm<To>{}, g("0", Conv<From, To>{}, x));
  }
};

}  // namespace enet

/// ENet for images of any size; logits have the size of the images. Parameter names are those of
/// github.com/davidtvs/PyTorch-ENet.
template <int Classes = 19>
struct ENet {
  static constexpr int in = 3, out = Classes;
  static constexpr Candidates candidates{
      .net = "ENet",
      .encoder_last = {"dilated3_7.ext_conv2.0", "asymmetric3_6.ext_conv2.3", "asymmetric3_6.ext_conv2.0"},
      .decoder_first = {"regular4_1.ext_conv2.0", "regular4_2.ext_conv2.0", "regular5_1.ext_conv2.0"},
      .decoder_last = {"regular5_1.ext_conv2.0", "regular4_2.ext_conv2.0", "regular4_1.ext_conv2.0"}};
  SegMoE moe{};

  Value<Classes> wire(Recorder& g, Value<3> image) const {
    using namespace enet;
    const Mixtures mix(g, moe, candidates);
    const auto stem = g("initial_block", Initial{}, image);

    const auto down1 = g("downsample1_0", Down<16, 64>{.drop = 0.01}, stem);
    auto x = down1.map;
    for (const char* name : {"regular1_1", "regular1_2", "regular1_3", "regular1_4"})
      x = g(name, Regular<64, Act::prelu>{.drop = 0.01}, x);

    const auto down2 = g("downsample2_0", Down<64, 128>{}, x);
    const auto y = stage3(g, stage2(g, down2.map), mix);

    x = g("upsample4_0", Up<128, 64>{}, y, down2.where, down2.size);
    for (const char* name : {"regular4_1", "regular4_2"}) x = g(name, Regular<64, Act::relu>{}, x, mix);
    auto z = g("upsample5_0", Up<64, 16>{}, x, down1.where, down1.size);
    z = g("regular5_1", Regular<16, Act::relu>{}, z, mix);
    using Last = ConvTranspose<16, Classes, ConvTransposeOpts{.kernel = 3, .stride = 2, .pad = 1}>;
    return g("transposed_conv", Last{}, z, g.size(image));
  }

 private:
  template <int Dilation = 1>
  using Square = enet::Regular<128, enet::Act::prelu, enet::Middle::square, Dilation>;
  using Asymmetric = enet::Regular<128, enet::Act::prelu, enet::Middle::asymmetric>;

  static Value<128> stage2(Recorder& g, Value<128> x) {
    x = g("dilated2_2", Square<2>{}, g("regular2_1", Square<>{}, x));
    x = g("dilated2_4", Square<4>{}, g("asymmetric2_3", Asymmetric{}, x));
    x = g("dilated2_6", Square<8>{}, g("regular2_5", Square<>{}, x));
    return g("dilated2_8", Square<16>{}, g("asymmetric2_7", Asymmetric{}, x));
  }
  static Value<128> stage3(Recorder& g, Value<128> x, const Mixtures& mix) {
    x = g("dilated3_1", Square<2>{}, g("regular3_0", Square<>{}, x));
    x = g("dilated3_3", Square<4>{}, g("asymmetric3_2", Asymmetric{}, x));
    x = g("dilated3_5", Square<8>{}, g("regular3_4", Square<>{}, x));
    return g("dilated3_7", Square<16>{}, g("asymmetric3_6", Asymmetric{}, x, mix), mix);
  }
};

}  // namespace moecnn
