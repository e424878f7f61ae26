#pragma once
/// Objects for benchmarks of detection.

#include "moecnn/core/rng.hpp"
#include "moecnn/core/size2.hpp"
#include "moecnn/detection/box.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace bench {

/// Sizes like those of objects in photographs: from 12 pixels to nearly the whole, more small than large ones. 80 classes.
/// bench/pytorch_retinanet.py draws the same.
inline std::vector<moecnn::detection::Object> objects(int count, moecnn::Size2 image, std::uint64_t seed) {
  const moecnn::Rng rng(seed, moecnn::Purpose::other);
  std::vector<moecnn::detection::Object> all;
  for (int i = 0; i < count; ++i) {
    const double side = std::exp(2.5 + 3.5 * rng.uniform(i, 0)), tall = std::exp(rng.uniform(i, 1) - 0.5);
    const double x = std::max(0.0, image.w - side) * rng.uniform(i, 2),
                 y = std::max(0.0, image.h - side * tall) * rng.uniform(i, 3);
    all.push_back({.box = {static_cast<float>(x), static_cast<float>(y), static_cast<float>(x + side),
                           static_cast<float>(y + side * tall)},
                   .label = i % 80});
  }
  return all;
}

}  // namespace bench
