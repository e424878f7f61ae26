#pragma once
/// \file
/// LR-ASPP (Howard et al., 2019) on MobileNetV3-Large, output stride 16.

#include "moecnn/zoo/mobilenet_v3.hpp"

namespace moecnn {
namespace lraspp {

/// The coarse map is scaled by weights computed from its means and resized to the fine one. Both are classified and
/// added.
template <int Classes>
struct Classifier {
  Value<Classes> wire(Recorder& g, Value<40> low, Value<960> high, const Mixtures& mix) const {
    constexpr ConvOpts biased{.bias = true};
    const auto narrowed = narrow(g, high, mix);
    const auto x = g.scale(narrowed, weights(g, high));
    const auto fine = mix.conv(g, "low_classifier", Conv<40, Classes, biased>{}, low);
    const auto coarse = mix.conv(g, "high_classifier", Conv<128, Classes, biased>{}, g.resize(x, g.size(low)));
    return g.add(fine, coarse);
  }

 private:
  static Value<128> narrow(Recorder& g, Value<960> x, const Mixtures& mix) {
    const auto scope = g.scope("cbr");
    return g.relu(g("1", BatchNorm<128>{}, mix.conv(g, "0", Conv<960, 128>{}, x)));
  }
  static Value<128> weights(Recorder& g, Value<960> x) {
    const auto scope = g.scope("scale");
    return g.sigmoid(g("1", Conv<960, 128>{}, g.global_avg_pool(x)));
  }
};

}  // namespace lraspp

/// LR-ASPP for images of any size; logits have the size of the images. Weights of torchvision's
/// lraspp_mobilenet_v3_large fit; below `backbone.` the names are those below `features.` of mobilenet_v3_large.
template <int Classes = 19>
struct LrAspp {
  static constexpr int in = 3, out = Classes;
  static constexpr Candidates candidates{
      .net = "LR-ASPP",
      .encoder_last = {"backbone.16.0", "backbone.15.block.3.0", "backbone.15.block.0.0"},
      .decoder_first = {"classifier.cbr.0", "classifier.low_classifier", "classifier.high_classifier"},
      .decoder_last = {"classifier.high_classifier", "classifier.low_classifier", "classifier.cbr.0"}};
  SegMoE moe{};

  Value<Classes> wire(Recorder& g, Value<3> image) const {
    using mobilenet::Stride;
    const Mixtures mix(g, moe, candidates);
    const auto features = g("backbone", mobilenet::Backbone<Stride::sixteen>{}, image, mix);
    const auto y = g("classifier", lraspp::Classifier<Classes>{}, features.low, features.high, mix);
    return g.resize(y, g.size(image));
  }
};

}  // namespace moecnn
