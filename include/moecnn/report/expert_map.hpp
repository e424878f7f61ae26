#pragma once
/// \file
/// Which expert serves which patch of an image, drawn over it.

#include "moecnn/core/matrix.hpp"
#include "moecnn/core/patch_grid.hpp"
#include "moecnn/report/scene_pictures.hpp"
#include "moecnn/report/style.hpp"

#include <numeric>

namespace moecnn::report {

/// The colour of an expert in pictures: that of the page in light. Experts beyond the tenth have them again, paler.
inline Rgb expert_colour(int expert) {
  const std::string name = formatted("--c{}:#", expert % 10);
  const std::size_t at = colours.find(name);
  check(expert >= 0 && at != std::string_view::npos, "there is no colour for expert {}", expert);
  const unsigned long rgb = std::strtoul(std::string(colours.substr(at + name.size(), 6)).c_str(), nullptr, 16);
  Rgb colour{static_cast<std::uint8_t>(rgb >> 16), static_cast<std::uint8_t>(rgb >> 8), static_cast<std::uint8_t>(rgb)};
  if (expert >= 10) detail::blend(colour.data(), {255, 255, 255}, expert / 10 % 2 == 1 ? 0.38 : 0.64);
  return colour;
}

struct ExpertMap {
  double opacity = 0.8;  ///< of the colour where an expert has all the weight; less weight is paler
  bool numbers = true;   ///< the expert with the largest weight, in the upper left corner of each patch
  bool bars = true;      ///< along the lower edge: how the weight is divided
};

namespace detail {

/// Digits of 3 × 5 dots; a row is an octal digit.
inline constexpr std::array<std::uint16_t, 10> digit_dots{075557, 026227, 071747, 071717, 055711,
                                                          074717, 074757, 071222, 075757, 075717};

inline void fill_box(Image& image, int top, int left, int bottom, int right, Rgb colour, double opacity) {
  for (int y = std::max(0, top); y < std::min(image.height, bottom); ++y)
    for (int x = std::max(0, left); x < std::min(image.width, right); ++x)
      blend(&image.pixels[3 * (static_cast<std::size_t>(y) * image.width + x)], colour, opacity);
}

/// White digits with a dark edge, each dot `dot` pixels wide.
inline void draw_number(Image& image, int top, int left, int number, int dot) {
  const std::string digits = std::to_string(number);
  for (const bool edge : {true, false})
    for (std::size_t d = 0; d < digits.size(); ++d)
      for (int i = 0; i < 15; ++i) {
        if ((digit_dots[static_cast<std::size_t>(digits[d] - '0')] >> (14 - i) & 1) == 0) continue;
        const int y = top + i / 3 * dot, x = left + (static_cast<int>(d) * 4 + i % 3) * dot;
        const int e = edge ? std::max(1, dot / 2) : 0;
        fill_box(image, y - e, x - e, y + dot + e, x + dot + e, edge ? Rgb{16, 16, 16} : Rgb{255, 255, 255}, 1);
      }
}

/// Experts with weight, the heaviest first.
inline std::vector<int> by_weight(std::span<const double> weights) {
  std::vector<int> order;
  for (int e = 0; e < static_cast<int>(weights.size()); ++e)
    if (weights[e] > 0) order.push_back(e);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return weights[a] > weights[b]; });
  return order;
}

}  // namespace detail

/// A photo in light grey with each patch in the colour of the expert that has the largest weight there, the stronger the
/// larger its share. Patch i of the image is row `first` + i of `weights`, [rows, experts].
inline Image expert_map(Image photo, const PatchGrid& grid, const Matrix& weights, int first = 0,
                        const ExpertMap& opts = {}) {
  check_image(photo);
  check(photo.channels == 3, "experts are drawn over RGB pictures, not over one with {} channels", photo.channels);
  check(first >= 0 && first + grid.count() <= weights.rows(),
        "an image of {} patches has its weights from row {} on, but there are {} rows", grid.count(), first,
        weights.rows());
  for (std::size_t i = 0; i + 2 < photo.pixels.size(); i += 3) {
    std::uint8_t* p = &photo.pixels[i];
    const int grey = (299 * p[0] + 587 * p[1] + 114 * p[2]) / 1000;
    p[0] = p[1] = p[2] = static_cast<std::uint8_t>(255 - (255 - grey) * 2 / 3);  // lighter: colours must show in shadow
  }
  const auto scaled = [](int at, int from, int to) {
    return std::min(to, static_cast<int>(std::lround(static_cast<double>(at) * to / from)));
  };
  const int line = std::max(1, photo.width / 300);
  for (int i = 0; i < grid.count(); ++i) {
    const Size2 at = grid.origin(i);
    const int top = scaled(at.h, grid.map.h, photo.height), left = scaled(at.w, grid.map.w, photo.width);
    const int bottom = scaled(at.h + grid.patch.h, grid.map.h, photo.height);
    const int right = scaled(at.w + grid.patch.w, grid.map.w, photo.width);
    const auto row = weights.row(first + i);
    const auto order = detail::by_weight(row);
    const double all = std::accumulate(row.begin(), row.end(), 0.0);
    if (!order.empty())
      detail::fill_box(photo, top, left, bottom, right, expert_colour(order[0]), opts.opacity * row[order[0]] / all);
    if (opts.bars && !order.empty()) {
      const int high = std::clamp((bottom - top) / 14, 2, 12);
      double before = 0;
      for (int e : order) {
        const double from = left + (right - left) * before / all, to = from + (right - left) * row[e] / all;
        detail::fill_box(photo, bottom - high, static_cast<int>(std::lround(from)), bottom,
                         static_cast<int>(std::lround(to)), expert_colour(e), 1);
        before += row[e];
      }
    }
    if (top > 0) detail::fill_box(photo, top, left, top + line, right, {255, 255, 255}, 0.85);
    if (left > 0) detail::fill_box(photo, top, left, bottom, left + line, {255, 255, 255}, 0.85);
    const int dot = std::clamp(std::min(bottom - top, right - left) / 24, 1, 8);
    if (opts.numbers && !order.empty())
      detail::draw_number(photo, top + line + 2 * dot, left + line + 2 * dot, order[0], dot);
  }
  return photo;
}

}  // namespace moecnn::report
