#pragma once
/// \file
/// Paints an image and its label map at once.

#include "moecnn/data/draws.hpp"
#include "moecnn/data/segmentation_set.hpp"

#include <algorithm>
#include <cmath>

namespace moecnn::data {

/// Coordinates are in heights of the image, x to the right and y downwards; what lies outside is cut off. A pixel belongs
/// to a shape that holds its centre: labels have sharp edges, so colours have them, too.
class SceneCanvas {
 public:
  SceneCanvas(int h, int w) : h_(h), w_(w), pixels_(static_cast<std::size_t>(h) * w), labels_(pixels_.size()) {}

  int height() const { return h_; }
  int width() const { return w_; }

  void rectangle(float left, float top, float right, float bottom, const Colour& colour, std::uint8_t label) {
    for (int y = first(top, h_); y < first(bottom, h_); ++y) span(y, left, right, colour, label);
  }
  void ellipse(float cx, float cy, float rx, float ry, const Colour& colour, std::uint8_t label) {
    for (int y = first(cy - ry, h_); y < first(cy + ry, h_); ++y) {
      const float v = (centre(y) - cy) / ry, half = rx * std::sqrt(std::max(0.0f, 1 - v * v));
      span(y, cx - half, cx + half, colour, label);
    }
  }
  /// A triangle from (x, top) that is as wide as left … right at `bottom`.
  void wedge(float x, float top, float left, float right, float bottom, const Colour& colour, std::uint8_t label) {
    for (int y = first(top, h_); y < first(bottom, h_); ++y) {
      const float t = (centre(y) - top) / (bottom - top);
      span(y, x + t * (left - x), x + t * (right - x), colour, label);
    }
  }

  /// The picture with some grain, and its labels.
  SegmentationSample finish(Draws draw) const {
    SegmentationSample sample{{h_, w_, {}}, {h_, w_, labels_}};
    const std::size_t n = pixels_.size();
    sample.image.pixels.resize(3 * n);
    for (std::size_t i = 0; i < n; ++i) {
      const std::uint32_t grain = draw.word();  // a byte per colour
      for (int c = 0; c < 3; ++c) {
        const float noise = static_cast<float>((grain >> (8 * c)) & 0xff) / 255 - 0.5f;
        const float value = std::clamp(pixels_[i][c] + 0.08f * noise, 0.0f, 1.0f);
        sample.image.pixels[c * n + i] = static_cast<std::uint8_t>(value * 255 + 0.5f);
      }
    }
    return sample;
  }

 private:
  float centre(int i) const { return (static_cast<float>(i) + 0.5f) / static_cast<float>(h_); }
  /// The first pixel, at most `end`, whose centre does not lie before `at`.
  int first(float at, int end) const {
    const float pixel = std::ceil(at * static_cast<float>(h_) - 0.5f);
    return static_cast<int>(std::clamp(pixel, 0.0f, static_cast<float>(end)));
  }
  void span(int y, float left, float right, const Colour& colour, std::uint8_t label) {
    const std::size_t row = static_cast<std::size_t>(y) * w_;
    for (int x = first(left, w_); x < first(right, w_); ++x) pixels_[row + x] = colour, labels_[row + x] = label;
  }

  int h_, w_;
  std::vector<Colour> pixels_;
  std::vector<std::uint8_t> labels_;
};

}  // namespace moecnn::data
