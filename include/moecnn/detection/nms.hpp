#pragma once
/// \file
/// Non-maximum suppression: of boxes that overlap, the one with the highest score stays.

#include "moecnn/core/error.hpp"
#include "moecnn/core/separate_rounding.hpp"
#include "moecnn/core/threads.hpp"
#include "moecnn/detection/box.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <span>
#include <vector>

namespace moecnn::detection {

namespace detail {

/// Boxes by column, in the order in which they get their chance.
struct BoxColumns {
  std::vector<float> x1, y1, x2, y2, area;
  std::vector<int> gone;   ///< 1: suppressed
  std::vector<int> index;  ///< of the box in the caller's list

  void resize(std::size_t n) {
    for (auto* column : {&x1, &y1, &x2, &y2, &area}) column->resize(n);
    gone.assign(n, 0), index.resize(n);
  }
  void set(std::size_t i, const Box& b, int of) {
    x1[i] = b.x1, y1[i] = b.y1, x2[i] = b.x2, y2[i] = b.y2, area[i] = b.area(), index[i] = of;
  }
  void move(std::size_t from, std::size_t to) {
    for (auto* column : {&x1, &y1, &x2, &y2, &area}) (*column)[to] = (*column)[from];
    gone[to] = gone[from], index[to] = index[from];
  }
};

/// Marks all boxes in (at, end) whose intersection over union with box `at` is larger than `threshold`, see iou();
/// returns how many of them are marked then.
MOECNN_SEPARATE_ROUNDING inline int suppress(BoxColumns& b, std::size_t at, std::size_t end, float threshold) {
  const float *x1 = b.x1.data(), *y1 = b.y1.data(), *x2 = b.x2.data(), *y2 = b.y2.data(), *area = b.area.data();
  int* gone = b.gone.data();
  const float left0 = x1[at], top0 = y1[at], right0 = x2[at], bottom0 = y2[at], area0 = area[at];
  int count = 0;
#pragma omp simd reduction(+ : count)
  for (std::size_t i = at + 1; i < end; ++i) {
    const float right = x2[i] < right0 ? x2[i] : right0, left = x1[i] > left0 ? x1[i] : left0;
    const float bottom = y2[i] < bottom0 ? y2[i] : bottom0, top = y1[i] > top0 ? y1[i] : top0;
    const float w = right - left, h = bottom - top;
    const float both = (w > 0 ? w : 0) * (h > 0 ? h : 0);
    const float sum = area[i] + area0;
    const float share = both / (sum - both);  // NaN for two boxes of no size, which suppress nothing
    gone[i] |= share > threshold;
    count += gone[i];
  }
  return count;
}

/// Of the boxes [begin, end), moves those that stay to the front and returns the end of these.
inline std::size_t suppress_all(BoxColumns& b, std::size_t begin, std::size_t end, float threshold) {
  std::size_t kept = begin;
  for (std::size_t at = begin; at < end; ++at) {
    if (b.gone[at]) continue;
    const auto gone = static_cast<std::size_t>(suppress(b, at, end, threshold));
    b.move(at, kept++);
    if (2 * gone <= end - at - 1) continue;
    std::size_t left = at + 1;  // half of them are gone: the others move together
    for (std::size_t i = at + 1; i < end; ++i)
      if (!b.gone[i]) b.move(i, left++);
    end = left;
  }
  return kept;
}

}  // namespace detail

/// Greedy suppression within each class: going by falling score, a detection goes if its intersection over union with one
/// of its class that has stayed is larger than `threshold`, in float. Returns positions in `all`: class by class, in a class
/// by falling score, equal scores in their order in `all`. Detections whose score or box is not finite are left out.
inline std::vector<int> nms(std::span<const Detection> all, float threshold) {
  check(threshold >= 0 && threshold <= 1, "suppression of boxes that overlap by more than {}; expected 0 to 1",
        threshold);
  std::vector<int> order;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Box& box = all[i].box;
    if (std::isfinite(all[i].score) && std::isfinite(box.x1) && std::isfinite(box.y1) && std::isfinite(box.x2) &&
        std::isfinite(box.y2))
      order.push_back(static_cast<int>(i));
  }
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return all[a].label != all[b].label ? all[a].label < all[b].label : all[a].score > all[b].score;
  });
  detail::BoxColumns boxes;
  boxes.resize(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) boxes.set(i, all[order[i]].box, order[i]);
  std::vector<std::size_t> begins{0};    // of the classes
  [[maybe_unused]] long long pairs = 0;  // without OpenMP
  for (std::size_t i = 1; i <= order.size(); ++i)
    if (i == order.size() || all[order[i]].label != all[order[i - 1]].label) {
      const auto n = static_cast<long long>(i - begins.back());
      pairs += n * n / 4;
      begins.push_back(i);
    }
  const int classes = static_cast<int>(begins.size()) - 1;
  std::vector<std::size_t> ends(begins.begin() + 1, begins.end());
#pragma omp parallel for schedule(dynamic) if (worth_sharing(pairs))
  for (int c = 0; c < classes; ++c) ends[c] = detail::suppress_all(boxes, begins[c], begins[c + 1], threshold);
  std::vector<int> kept;
  for (int c = 0; c < classes; ++c)
    kept.insert(kept.end(), boxes.index.begin() + static_cast<std::ptrdiff_t>(begins[c]),
                boxes.index.begin() + static_cast<std::ptrdiff_t>(ends[c]));
  return kept;
}

}  // namespace moecnn::detection
