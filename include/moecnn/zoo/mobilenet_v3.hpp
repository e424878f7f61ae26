#pragma once
/// \file
/// MobileNetV3-Large (Howard et al., 2019), also with dilation instead of the last stride.

#include "moecnn/layer/batch_norm.hpp"
#include "moecnn/layer/linear.hpp"
#include "moecnn/zoo/seg_moe.hpp"

namespace moecnn {
namespace mobilenet {

enum class Act : unsigned char { none, relu, hard_swish };
enum class Squeeze : bool { no, yes };

/// Convolution `0` that keeps the map's size up to its stride, batch norm `1`, activation.
template <int In, int Out, Act A, ConvOpts O = ConvOpts{}>
struct ConvNorm {
  static constexpr int in = In, out = Out;

  template <class Mix = NoMixtures>
  Value<Out> wire(Recorder& g, Value<In> x, const Mix& mix = {}) const {
    constexpr ConvOpts opts = [] {
      ConvOpts o = O;
      o.pad = {(O.kernel.h - 1) / 2 * O.dilation.h, (O.kernel.w - 1) / 2 * O.dilation.w};
      o.init = Init::kaiming_normal;
      return o;
    }();
    const auto y = g("1", BatchNorm<Out>{.eps = 1e-3, .momentum = 0.01}, mix.conv(g, "0", Conv<In, Out, opts>{}, x));
    if constexpr (A == Act::relu) return g.relu(y);
    if constexpr (A == Act::hard_swish) return g.hard_swish(y);
    return y;
  }
};

/// The next multiple of 8, but at least 9/10 of n.
constexpr int round_to_eight(int n) {
  const int near = (n + 4) / 8 * 8, least = near < 8 ? 8 : near;
  return 10 * least < 9 * n ? least + 8 : least;
}

/// Squeeze and excitation: two 1×1 convolutions compute a factor per channel from the channels' means.
template <int C>
struct Excite {
  static constexpr int in = C, out = C, inner = round_to_eight(C / 4);

  Value<C> wire(Recorder& g, Value<C> x) const {
    constexpr ConvOpts opts{.bias = true, .init = Init::kaiming_normal};
    const auto y = g.relu(g("fc1", Conv<C, inner, opts>{}, g.global_avg_pool(x)));
    return g.scale(x, g.hard_sigmoid(g("fc2", Conv<inner, C, opts>{}, y)));
  }
};

struct Row {
  int kernel, width;
  Squeeze squeeze = Squeeze::no;
  Act act = Act::relu;
  int stride = 1, dilation = 1;
};

/// Inverted residual block: 1×1 convolution to R.width channels (none where there are as many already), depthwise
/// convolution, squeeze and excitation, 1×1 convolution; plus x where the shape stays. Parts are numbered as they come.
template <int In, int Out, Row R>
struct Inverted {
  static constexpr int in = In, out = Out;

  template <class Mix = NoMixtures>
  Value<Out> wire(Recorder& g, Value<In> x, const Mix& mix = {}) const {
    const auto y = block(g, x, mix);
    if constexpr (In == Out && R.stride == 1)
      return g.add(y, x);
    else
      return y;
  }

 private:
  static constexpr bool widens = R.width != In;
  static constexpr ConvOpts depthwise{
      .kernel = R.kernel, .stride = R.stride, .dilation = R.dilation, .groups = R.width};

  template <class Mix>
  static Value<Out> block(Recorder& g, Value<In> x, const Mix& mix) {
    const auto scope = g.scope("block");
    auto y = g(widens ? "1" : "0", ConvNorm<R.width, R.width, R.act, depthwise>{}, widened(g, x, mix));
    if constexpr (R.squeeze == Squeeze::yes) y = g(widens ? "2" : "1", Excite<R.width>{}, y);
    constexpr char last[] = {'0' + widens + 1 + (R.squeeze == Squeeze::yes), '\0'};
    return g(last, ConvNorm<R.width, Out, Act::none>{}, y, mix);
  }
  template <class Mix>
  static Value<R.width> widened(Recorder& g, Value<In> x, const Mix& mix) {
    if constexpr (widens)
      return g("0", ConvNorm<In, R.width, R.act>{}, x, mix);
    else
      return x;
  }
};

/// Maps of 1/8, and of 1/32, or 1/16 where the last stride became dilation.
struct Features {
  Value<40> low;
  Value<960> high;
};

/// All but the classifier: `0` to `16`. The 1×1 convolutions of the last two blocks and the last one are candidates.
enum class Stride : unsigned char { sixteen, thirtytwo };
template <Stride S>
struct Backbone {
  static constexpr int in = 3;

  template <class Mix = NoMixtures>
  Features wire(Recorder& g, Value<3> image, const Mix& mix = {}) const {
    constexpr Act re = Act::relu, hs = Act::hard_swish;
    constexpr Squeeze no = Squeeze::no, se = Squeeze::yes;
    constexpr int stride = S == Stride::sixteen ? 1 : 2, dilation = S == Stride::sixteen ? 2 : 1;
    const auto stem = g("0", ConvNorm<3, 16, hs, ConvOpts{.kernel = 3, .stride = 2}>{}, image);
    const auto a = g("1", Inverted<16, 16, Row{3, 16}>{}, stem);
    const auto b = g("3", Inverted<24, 24, Row{3, 72}>{}, g("2", Inverted<16, 24, Row{3, 64, no, re, 2}>{}, a));
    const auto c = g("4", Inverted<24, 40, Row{5, 72, se, re, 2}>{}, b);
    const auto d = g("6", Inverted<40, 40, Row{5, 120, se}>{}, g("5", Inverted<40, 40, Row{5, 120, se}>{}, c));
    auto e = g("8", Inverted<80, 80, Row{3, 200, no, hs}>{}, g("7", Inverted<40, 80, Row{3, 240, no, hs, 2}>{}, d));
    e = g("10", Inverted<80, 80, Row{3, 184, no, hs}>{}, g("9", Inverted<80, 80, Row{3, 184, no, hs}>{}, e));
    const auto f =
        g("12", Inverted<112, 112, Row{3, 672, se, hs}>{}, g("11", Inverted<80, 112, Row{3, 480, se, hs}>{}, e));
    auto h = g("13", Inverted<112, 160, Row{5, 672, se, hs, stride, dilation}>{}, f);
    h = g("14", Inverted<160, 160, Row{5, 960, se, hs, 1, dilation}>{}, h);
    h = g("15", Inverted<160, 160, Row{5, 960, se, hs, 1, dilation}>{}, h, mix);
    return {c, g("16", ConvNorm<160, 960, hs>{}, h, mix)};
  }
};

}  // namespace mobilenet

/// MobileNetV3-Large for ImageNet. Weights of torchvision's mobilenet_v3_large fit.
template <int Classes = 1000>
struct MobileNetV3Large {
  static constexpr int in = 3, out = Classes;

  Value<Classes> wire(Recorder& g, Value<3> image) const {
    using namespace mobilenet;
    const auto features = g("features", Backbone<Stride::thirtytwo>{}, image);
    const auto scope = g.scope("classifier");
    const auto x = g.hard_swish(g("0", Linear<960, 1280>{}, g.global_avg_pool(features.high)));
    return g("3", Linear<1280, Classes>{}, g.dropout(x, 0.2));
  }
};

}  // namespace moecnn
