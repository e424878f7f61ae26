#pragma once
/// \file
/// From scores per class and pixel to the class of each pixel.

#include "moecnn/core/threads.hpp"
#include "moecnn/data/rgb_image.hpp"
#include "moecnn/data/segmentation_set.hpp"

#include <algorithm>
#include <limits>

namespace moecnn::analysis {

namespace detail {

/// Pixels that are worked on at a time, so that their best scores stay in the nearest cache.
inline constexpr std::size_t score_block = 1024;

/// The best class of `n` ≤ score_block pixels; class c's scores begin at `scores + c * stride`. Lower classes win ties;
/// a pixel none of whose scores is a number above -∞ gets `classes`.
template <class T>
void best_of_block(const T* __restrict scores, std::size_t stride, int classes, std::size_t n, int* __restrict best) {
  T top[score_block];
  std::fill_n(top, n, -std::numeric_limits<T>::infinity());
  std::fill_n(best, n, classes);
  for (int c = 0; c < classes; ++c, scores += stride)
    for (std::size_t i = 0; i < n; ++i) {  // without branches, so that compilers make it SIMD
      const bool better = scores[i] > top[i];
      top[i] = better ? scores[i] : top[i];
      best[i] = better ? c : best[i];
    }
}

}  // namespace detail

/// The class with the highest score for each pixel of one map: scores [classes, h, w] → values below `classes`, or
/// ignore_label where no score is a number. Lower classes win ties.
template <class T>
data::LabelMap best_classes(const T* scores, int classes, int h, int w) {
  data::LabelMap map{h, w, {}};
  const std::size_t pixels = static_cast<std::size_t>(h) * w, block = detail::score_block;
  map.values.resize(pixels);
#pragma omp parallel for schedule(static) if (worth_sharing(pixels * classes))
  for (std::size_t at = 0; at < pixels; at += block) {
    int best[detail::score_block];
    const std::size_t n = std::min(block, pixels - at);
    detail::best_of_block(scores + at, pixels, classes, n, best);
    for (std::size_t i = 0; i < n; ++i)
      map.values[at + i] = best[i] == classes ? data::ignore_label : static_cast<std::uint8_t>(best[i]);
  }
  return map;
}

}  // namespace moecnn::analysis
