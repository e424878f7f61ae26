#pragma once
/// \file
/// The anchors of RetinaNet: boxes of a few shapes around every cell of its levels' maps. The heads of a detector give
/// scores and deltas in their order.

#include "moecnn/core/error.hpp"
#include "moecnn/core/extent.hpp"
#include "moecnn/core/size2.hpp"
#include "moecnn/detection/box.hpp"

#include <cmath>
#include <limits>
#include <span>
#include <vector>

namespace moecnn::detection {

/// Level l has cells of 2^l pixels. A shape has an area of (base · 2^l · scale)² and a height of `ratio` times its width.
struct AnchorOpts {
  int first_level = 3, last_level = 7;
  double base = 4;
  std::vector<double> ratios{0.5, 1, 2};
  std::vector<double> scales{1, 1.2599210498948732, 1.5874010519681994};  ///< 2^0, 2^(1/3), 2^(2/3)
  bool whole_pixels =
      false;            ///< base · 2^l · scale is cut to a whole number, corners of shapes are rounded (½ to even)
  double centre = 0.5;  ///< of the first cell, in cells
  bool measured_cells = false;  ///< a cell has image / grid pixels, rounded down, instead of 2^l

  /// As yhenon/pytorch-retinanet has them.
  static AnchorOpts yhenon() { return {}; }
  /// As torchvision's RetinaNet has them.
  static AnchorOpts torchvision() { return {.whole_pixels = true, .centre = 0, .measured_cells = true}; }
};

/// The anchors of one level. Their sides lie along the axes, so corners need to be known per shape and column or row only.
struct AnchorLevel {
  int level = 0;
  Size2 grid = 0;                 ///< cells, ⌈image / 2^level⌉
  std::size_t first = 0;          ///< index of its first anchor among all
  std::vector<float> x1{}, x2{};  ///< shapes × grid.w
  std::vector<float> y1{}, y2{};  ///< shapes × grid.h
};

/// All anchors for images of one padded size: level by level, row by row, cell by cell, and in a cell for each ratio all
/// scales. An image of 608 × 1024 has 116,712 of them by default.
class Anchors {
 public:
  /// Throws Error for an image without pixels and for options that make no box.
  explicit Anchors(Size2 image, const AnchorOpts& opts = {}) : image_(image) {
    check(image.h >= 1 && image.w >= 1 && image.h <= most && image.w <= most,
          "anchors for an image of {} × {} pixels; expected sides of 1 to {}", image.h, image.w, most);
    check(0 <= opts.first_level && opts.first_level <= opts.last_level && opts.last_level <= 20,
          "anchors on levels {} to {}; expected levels from 0 to 20, in this order", opts.first_level, opts.last_level);
    for (const auto* list : {&opts.ratios, &opts.scales})
      for (const double x : *list)
        check(x > 0 && std::isfinite(x), "an anchor with a ratio or scale of {}; expected a positive number", x);
    check(opts.base > 0 && std::isfinite(opts.base), "anchors with a base of {}; expected a positive number",
          opts.base);
    shapes_ = static_cast<int>(opts.ratios.size() * opts.scales.size());
    check(shapes_ > 0, "anchors with {} ratios and {} scales; expected one of each at least", opts.ratios.size(),
          opts.scales.size());
    for (int l = opts.first_level; l <= opts.last_level; ++l) add_level(l, opts);
  }

  Size2 image() const { return image_; }
  int shapes() const { return shapes_; }  ///< anchors per cell
  std::size_t size() const { return boxes_.size(); }
  std::span<const Box> boxes() const { return boxes_; }
  const Box& operator[](std::size_t i) const { return boxes_[i]; }
  std::span<const AnchorLevel> levels() const { return levels_; }
  /// Which of levels() has anchor i.
  std::size_t level_of(std::size_t i) const {
    std::size_t l = 0;
    while (l + 1 < levels_.size() && levels_[l + 1].first <= i) ++l;
    return l;
  }

 private:
  static constexpr int most = 1 << 20;

  void add_level(int l, const AnchorOpts& opts) {
    const int side = 1 << l;
    AnchorLevel level{.level = l, .grid = {pieces(image_.h, side), pieces(image_.w, side)}, .first = boxes_.size()};
    const auto [rows, columns] = level.grid;
    const auto count = static_cast<std::size_t>(rows) * columns * shapes_;
    check(level.first + count <= std::numeric_limits<int>::max(),
          "an image of {} × {} pixels has more than 2^31 anchors; make it smaller", image_.h, image_.w);
    const Size2 cell = opts.measured_cells ? Size2(image_.h / rows, image_.w / columns) : Size2(side);
    for (const double ratio : opts.ratios)
      for (const double scale : opts.scales) {
        const Half half = opts.whole_pixels ? whole_half(opts.base * side * scale, ratio)
                                            : exact_half(opts.base * side * scale, ratio);
        add_axis(level.x1, level.x2, columns, cell.w, opts.centre, half.width);
        add_axis(level.y1, level.y2, rows, cell.h, opts.centre, half.height);
      }
    boxes_.reserve(level.first + count);
    for (int y = 0; y < rows; ++y)
      for (int x = 0; x < columns; ++x)
        for (int s = 0; s < shapes_; ++s) {
          const auto column = static_cast<std::size_t>(s) * columns + x, row = static_cast<std::size_t>(s) * rows + y;
          boxes_.push_back({level.x1[column], level.y1[row], level.x2[column], level.y2[row]});
        }
    levels_.push_back(std::move(level));
  }

  /// Lower and upper edge, as seen from the centre.
  struct Edges {
    double low, high;
  };
  struct Half {
    Edges width, height;
  };
  // Both compute in the same steps and types as their originals do, so that every float is the same.
  static Half exact_half(double side, double ratio) {
    const double w = std::sqrt(side * side / ratio), h = w * ratio;
    return {{-0.5 * w, w - 0.5 * w}, {-0.5 * h, h - 0.5 * h}};
  }
  static Half whole_half(double side, double ratio) {
    const float tall = std::sqrt(static_cast<float>(ratio)), cut = static_cast<float>(std::floor(side));
    const double w = std::nearbyint(1 / tall * cut / 2), h = std::nearbyint(tall * cut / 2);
    return {{-w, w}, {-h, h}};
  }
  static void add_axis(std::vector<float>& low, std::vector<float>& high, int cells, int pixels, double centre,
                       Edges edges) {
    for (int i = 0; i < cells; ++i) {
      const double at = (i + centre) * pixels;
      low.push_back(static_cast<float>(at + edges.low));
      high.push_back(static_cast<float>(at + edges.high));
    }
  }

  Size2 image_;
  int shapes_ = 0;
  std::vector<AnchorLevel> levels_;
  std::vector<Box> boxes_;
};

}  // namespace moecnn::detection
