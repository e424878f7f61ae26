#pragma once
/// \file
/// A box as seen from an anchor: the four numbers that a detector predicts, and back.

#include "moecnn/core/separate_rounding.hpp"
#include "moecnn/core/size2.hpp"
#include "moecnn/detection/box.hpp"

#include <array>
#include <cmath>
#include <limits>

namespace moecnn::detection {

/// Shift of the centre along x and y in sides of the anchor, and logarithms of the ratios of widths and heights, each
/// divided by its `std` of BoxCoderOpts.
using Deltas = std::array<float, 4>;

/// Which corners clip() moves into the picture.
enum class Clip {
  outer,  ///< x1 and y1 up to 0, x2 and y2 down to the size: a box beside the picture keeps a corner outside
  all     ///< all of them to 0 … size
};

struct BoxCoderOpts {
  Deltas std{0.1f, 0.1f, 0.2f, 0.2f};
  float least_side = 1;                                        ///< encode() enlarges smaller sides to it, in pixels
  float most_growth = std::numeric_limits<float>::infinity();  ///< of a side, as a logarithm, in decode()
  Clip clip = Clip::outer;

  /// As yhenon/pytorch-retinanet does it.
  static constexpr BoxCoderOpts yhenon() { return {}; }
  /// As torchvision's RetinaNet does it; sides grow at most to 1000 / 16 times the anchor's.
  static constexpr BoxCoderOpts torchvision() {
    return {.std = {1, 1, 1, 1}, .least_side = 0, .most_growth = 4.135166556742356f, .clip = Clip::all};
  }
};

/// The numbers that decode() turns into `box`. Sides of both must be positive (with `least_side`, those of the anchor).
MOECNN_SEPARATE_ROUNDING inline Deltas encode(const Box& anchor, const Box& box, const BoxCoderOpts& opts) {
  const auto side = [&](float s) { return s > opts.least_side ? s : opts.least_side; };
  const float aw = anchor.width(), ah = anchor.height(), w = box.width(), h = box.height();
  const float ax = anchor.x1 + 0.5f * aw, ay = anchor.y1 + 0.5f * ah;  // half of a float is exact
  const float x = box.x1 + 0.5f * w, y = box.y1 + 0.5f * h;
  return {(x - ax) / aw / opts.std[0], (y - ay) / ah / opts.std[1], std::log(side(w) / aw) / opts.std[2],
          std::log(side(h) / ah) / opts.std[3]};
}

/// The box that `deltas` make of an anchor. Large ones make infinite corners, NaN makes NaN.
MOECNN_SEPARATE_ROUNDING inline Box decode(const Box& anchor, const Deltas& deltas, const BoxCoderOpts& opts) {
  const auto growth = [&](float d) { return std::exp(d > opts.most_growth ? opts.most_growth : d); };
  const float aw = anchor.width(), ah = anchor.height();
  const float ax = anchor.x1 + 0.5f * aw, ay = anchor.y1 + 0.5f * ah;
  const float dx = deltas[0] * opts.std[0], dy = deltas[1] * opts.std[1];
  const float dw = deltas[2] * opts.std[2], dh = deltas[3] * opts.std[3];
  const float shift_x = dx * aw, shift_y = dy * ah;
  const float x = ax + shift_x, y = ay + shift_y;
  const float half_w = 0.5f * (growth(dw) * aw), half_h = 0.5f * (growth(dh) * ah);
  return {x - half_w, y - half_h, x + half_w, y + half_h};
}

/// The part of a box within a picture; NaN stays NaN.
inline Box clip(Box box, Size2 image, Clip how) {
  const float w = static_cast<float>(image.w), h = static_cast<float>(image.h);
  const auto least = [](float x) { return x < 0 ? 0 : x; };
  const auto most = [](float x, float limit) { return x > limit ? limit : x; };
  box = {least(box.x1), least(box.y1), most(box.x2, w), most(box.y2, h)};
  if (how == Clip::all) box = {most(box.x1, w), most(box.y1, h), least(box.x2), least(box.y2)};
  return box;
}

}  // namespace moecnn::detection
