#pragma once
/// \file
/// Pictures of images at the points of a map, such as t-SNE's of gate logits.

#include "moecnn/analysis/quad_tree.hpp"
#include "moecnn/report/png.hpp"

#include <functional>

namespace moecnn::report {

/// `side` × `side` pixels, white, with the picture of every row in `shown` (RGB) at its point. Coordinates are
/// scaled from the least to the largest of all points, each axis by itself, so that maps of parts of the rows can be laid
/// over each other. Later rows cover earlier ones.
inline Image thumbnail_map(std::span<const analysis::Point> points, std::span<const int> shown,
                           const std::function<Image(int row)>& picture, int side = 1600) {
  check(side >= 1 && side <= 16384, "a map of {} pixels a side was asked for; expected 1 to 16384", side);
  Image map{side, side, 3, std::vector<std::uint8_t>(3 * static_cast<std::size_t>(side) * side, 255)};
  analysis::Point low{1e300, 1e300}, high{-1e300, -1e300};
  for (const analysis::Point& p : points) {
    low = {std::min(low.x, p.x), std::min(low.y, p.y)};
    high = {std::max(high.x, p.x), std::max(high.y, p.y)};
  }
  const auto place = [&](double at, double from, double to, int room) {
    return to > from ? static_cast<int>((at - from) / (to - from) * room) : room / 2;
  };
  for (const int row : shown) {
    const Image tile = picture(row);
    check(tile.channels == 3 && tile.width >= 1 && tile.height >= 1 && tile.width <= side && tile.height <= side,
          "picture {} has {} × {} pixels of {} channels; expected 3 channels and at most {} × {} pixels", row,
          tile.width, tile.height, tile.channels, side, side);
    const analysis::Point& p = points[static_cast<std::size_t>(row)];
    const int left = place(p.x, low.x, high.x, side - tile.width), top = place(p.y, low.y, high.y, side - tile.height);
    for (int y = 0; y < tile.height; ++y)
      std::copy_n(tile.pixels.begin() + 3LL * y * tile.width, 3 * tile.width,
                  map.pixels.begin() + 3 * ((static_cast<long long>(top) + y) * side + left));
  }
  return map;
}

}  // namespace moecnn::report
