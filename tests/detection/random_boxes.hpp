#pragma once
// Boxes that overlap a lot, with scores of which many are equal.

#include "moecnn/core/rng.hpp"
#include "moecnn/detection/box.hpp"

#include <cmath>
#include <vector>

/// n boxes around n / 8 places of an image of `side` pixels, labels below `classes`.
inline std::vector<moecnn::detection::Detection> random_detections(int n, int classes, std::uint64_t seed,
                                                                   float side = 500) {
  const moecnn::Rng rng(seed, moecnn::Purpose::other);
  std::vector<moecnn::detection::Detection> all;
  for (int i = 0; i < n; ++i) {
    const auto u = [&](int lane) { return static_cast<float>(rng.uniform(i, lane)); };
    const std::uint64_t place = 1000000 + rng.below(1 + n / 8, i, 4);
    const float x = side * static_cast<float>(rng.uniform(place, 0)) + 20 * u(0), w = 20 + 40 * u(1);
    const float y = side * static_cast<float>(rng.uniform(place, 1)) + 20 * u(2), h = 20 + 40 * u(3);
    all.push_back({.box = {x, y, x + w, y + h},
                   .label = static_cast<int>(rng.below(classes, i, 5)),
                   .score = i % 3 == 0 ? std::round(8 * u(6)) / 8 : u(6)});
    if (i % 5 == 0) all.back().box = {std::round(x), std::round(y), std::round(x + w), std::round(y + h)};
  }
  return all;
}
