#pragma once
/// \file
/// The two heads of RetinaNet, which look at all levels of the pyramid with the same weights.

#include "moecnn/layer/conv.hpp"

#include <cmath>

namespace moecnn::retinanet {

inline constexpr int anchors = 9;  ///< of a pixel of a level: three ratios × three scales
inline constexpr int width = 256;  ///< channels of the pyramid and of the heads

/// The first weights of a head. The classifier's last bias is -ln 99 in all cases, so that every anchor begins as an object
/// of each class with probability 0.01; the regressor's is 0.
enum class HeadStart : unsigned char {
  zero_output,  ///< N(0, 2 / fan_out), the last convolution 0
  kaiming,      ///< the same, the last convolution N(0, 2 / fan_in): experts, which have to differ
  small_normal  ///< N(0, 0.01²) everywhere and biases 0, as torchvision has it
};

/// What a head ends in.
enum class HeadEnd : unsigned char { deltas, probabilities };

inline constexpr ConvOpts square{.kernel = 3, .pad = 1, .bias = true, .init = Init::kaiming_normal};

/// The fourth convolution as it is.
struct PlainFourth {
  Value<width> operator()(Recorder& g, const Conv<width, width, square>& conv, Value<width> x) const {
    return g("conv4", conv, x);
  }
};

/// Four 3×3 convolutions `conv1` … `conv4` of 256 channels, each with bias and ReLU, and a fifth, `output`, to the numbers
/// of nine anchors: four deltas, or the probability of each class. Channel a · (Out / 9) + i is number i of anchor a.
template <int Out>
struct Head {
  static constexpr int in = width, out = Out;
  HeadEnd end = HeadEnd::deltas;
  HeadStart start = HeadStart::zero_output;

  /// `fourth` wires the fourth convolution, before its ReLU.
  template <class Fourth = PlainFourth>
  Value<Out> wire(Recorder& g, Value<width> x, const Fourth& fourth = {}) const {
    const Conv<width, width, square> conv{.start = tower_start()};
    for (const char* name : {"conv1", "conv2", "conv3"}) x = g.relu(g(name, conv, x));
    x = g.relu(fourth(g, conv, x));
    const auto y = g("output", Conv<width, Out, square>{.start = output_start()}, x);
    return end == HeadEnd::probabilities ? g.sigmoid(y) : y;
  }

 private:
  /// The factor that makes N(0, 2 / fan_out) of a 3×3 convolution N(0, deviation²).
  static double scale_to(double deviation, int outputs) { return deviation / std::sqrt(2.0 / (9 * outputs)); }

  ConvStart tower_start() const {
    if (start != HeadStart::small_normal) return {};
    return {.weight_scale = scale_to(0.01, width), .bias = 0.0};
  }
  ConvStart output_start() const {
    const double bias = end == HeadEnd::probabilities ? -std::log(99.0) : 0.0;
    switch (start) {
      case HeadStart::zero_output: return {.weight_scale = 0, .bias = bias};
      case HeadStart::kaiming: return {.weight_scale = scale_to(std::sqrt(2.0 / (9 * width)), Out), .bias = bias};
      case HeadStart::small_normal: break;
    }
    return {.weight_scale = scale_to(0.01, Out), .bias = bias};
  }
};

}  // namespace moecnn::retinanet
