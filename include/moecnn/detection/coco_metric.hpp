#pragma once
/// \file
/// COCO's metric for boxes: average precision and recall, equal to those of pycocotools.

#include "moecnn/core/threads.hpp"
#include "moecnn/detection/coco_matching.hpp"

#include <cmath>
#include <numeric>

namespace moecnn::detection {

namespace detail {

inline std::vector<std::int64_t> sorted_ids(std::span<const std::int64_t> ids) {
  std::vector<std::int64_t> all(ids.begin(), ids.end());
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

/// Truths or detections, category by category, in a category image by image, and there in the order of the file.
template <class T>
struct ByCategory {
  std::vector<T> all;
  std::vector<std::size_t> begin;  ///< of each category, and the end

  std::span<const T> of(std::size_t k) const { return {all.data() + begin[k], begin[k + 1] - begin[k]}; }
};

/// Checks boxes and ids on the way. `what` is the kind of thing in messages.
template <class T>
ByCategory<T> by_category(std::span<const T> list, const std::vector<std::int64_t>& images,
                          const std::vector<std::int64_t>& categories, const char* what) {
  std::vector<std::size_t> category(list.size());
  ByCategory<T> sorted;
  sorted.begin.assign(categories.size() + 1, 0);
  for (std::size_t i = 0; i < list.size(); ++i) {
    const T& x = list[i];
    const auto& [left, top, w, h] = x.box;
    check(std::isfinite(left) && std::isfinite(top) && std::isfinite(w) && std::isfinite(h),
          "{} {} of {} has the box [{}, {}, {}, {}]; expected four finite numbers", what, i, list.size(), left, top, w,
          h);
    if constexpr (requires { x.score; })
      check(!std::isnan(x.score), "{} {} of {} has a score that is no number", what, i, list.size());
    else
      check(!std::isnan(x.area), "{} {} of {} has an area that is no number", what, i, list.size());
    check(std::binary_search(images.begin(), images.end(), x.image),
          "{} {} of {} is about image {}, which is not among the {} images of the ground truth", what, i, list.size(),
          x.image, images.size());
    const auto at = std::lower_bound(categories.begin(), categories.end(), x.category);
    check(at != categories.end() && *at == x.category,
          "{} {} of {} has category {}, which is not among the {} of the ground truth", what, i, list.size(),
          x.category, categories.size());
    category[i] = static_cast<std::size_t>(at - categories.begin());
    ++sorted.begin[category[i] + 1];
  }
  std::partial_sum(sorted.begin.begin(), sorted.begin.end(), sorted.begin.begin());
  sorted.all.resize(list.size());
  auto next = sorted.begin;
  for (std::size_t i = 0; i < list.size(); ++i) sorted.all[next[category[i]]++] = list[i];
  return sorted;
}

/// Everything about one category.
class CocoCategory {
 public:
  explicit CocoCategory(const CocoMetricOpts& opts) : matching_(opts) {}

  void evaluate(CocoResult& result, int k, std::span<const CocoTruth> truths, std::span<const CocoDetection> found) {
    const auto& opts = result.opts();
    std::array<long long, 4> count{};
    ranked_.clear();
    // Both lists are sorted by image: they are walked through together.
    for (std::size_t t = 0, d = 0; t < truths.size() || d < found.size();) {
      const auto image = t == truths.size()  ? found[d].image
                         : d == found.size() ? truths[t].image
                                             : std::min(truths[t].image, found[d].image);
      const std::size_t t0 = t, d0 = d;
      while (t < truths.size() && truths[t].image == image) ++t;
      while (d < found.size() && found[d].image == image) ++d;
      matching_.begin(truths.subspan(t0, t - t0));
      for (std::size_t a = 0; a < 4; ++a)
        for (std::size_t g = 0; g < t - t0; ++g) count[a] += !matching_.ignored(g, a);
      add_image(found.subspan(d0, d - d0), opts.limits.back());
    }
    std::stable_sort(ranked_.begin(), ranked_.end(), [](auto& x, auto& y) { return x.score > y.score; });
    for (int a = 0; a < 4; ++a) {
      result.set_truths(k, a, count[static_cast<std::size_t>(a)]);
      if (count[static_cast<std::size_t>(a)] == 0) continue;
      for (int m = 0; m < 3; ++m)
        for (int t = 0; t < static_cast<int>(opts.ious.size()); ++t) curve_.fill(result, ranked_, t, k, a, m);
    }
  }

 private:
  void add_image(std::span<const CocoDetection> found, int limit) {
    order_.resize(found.size());
    std::iota(order_.begin(), order_.end(), 0);
    std::stable_sort(order_.begin(), order_.end(), [&](int x, int y) { return found[x].score > found[y].score; });
    for (int r = 0; r < std::min(limit, static_cast<int>(order_.size())); ++r) {
      const CocoDetection& d = found[static_cast<std::size_t>(order_[static_cast<std::size_t>(r)])];
      ranked_.push_back({d.score, r, matching_.match(d.box)});
    }
  }

  CocoMatching matching_;
  CocoCurve curve_;
  std::vector<Ranked> ranked_;
  std::vector<int> order_;
};

}  // namespace detail

/// Compares detections with the truth. `images` and `categories`: the ids of all there are, in any order; truths and
/// detections in the order of their files, which decides between equal scores. Throws Error for other ids, for boxes that
/// are not finite and for scores that are NaN. Detections need no order by image. Uses all threads.
inline CocoResult coco_metric(std::span<const std::int64_t> images, std::span<const std::int64_t> categories,
                              std::span<const CocoTruth> truths, std::span<const CocoDetection> detections,
                              CocoMetricOpts opts = {}) {
  check(!opts.ious.empty() && opts.ious.size() <= detail::bits_at_most && !opts.recalls.empty(),
        "COCO's metric with {} thresholds and {} recalls; expected 1 to {} thresholds and some recalls",
        opts.ious.size(), opts.recalls.size(), detail::bits_at_most);
  check(std::is_sorted(opts.recalls.begin(), opts.recalls.end()), "the recalls of COCO's metric must rise");
  check(opts.limits[0] >= 1 && opts.limits[0] <= opts.limits[1] && opts.limits[1] <= opts.limits[2],
        "COCO's metric with limits of {}, {} and {} detections; expected numbers from 1 that rise", opts.limits[0],
        opts.limits[1], opts.limits[2]);
  const auto image_ids = detail::sorted_ids(images), category_ids = detail::sorted_ids(categories);
  auto truth = detail::by_category(truths, image_ids, category_ids, "truth");
  auto found = detail::by_category(detections, image_ids, category_ids, "detection");
  CocoResult result(std::move(opts), category_ids);
  const int count = static_cast<int>(category_ids.size());
  std::vector<int> largest_first(category_ids.size());
  std::iota(largest_first.begin(), largest_first.end(), 0);
  std::stable_sort(largest_first.begin(), largest_first.end(),
                   [&](int a, int b) { return found.of(a).size() > found.of(b).size(); });
#pragma omp parallel if (worth_sharing(128 * static_cast<long long>(detections.size() + truths.size())))
  {
    detail::CocoCategory category(result.opts());
#pragma omp for schedule(dynamic)
    for (int i = 0; i < count; ++i) {
      const auto k = static_cast<std::size_t>(largest_first[static_cast<std::size_t>(i)]);
      const auto by_image = [](const auto& x, const auto& y) { return x.image < y.image; };
      std::stable_sort(truth.all.begin() + static_cast<std::ptrdiff_t>(truth.begin[k]),
                       truth.all.begin() + static_cast<std::ptrdiff_t>(truth.begin[k + 1]), by_image);
      std::stable_sort(found.all.begin() + static_cast<std::ptrdiff_t>(found.begin[k]),
                       found.all.begin() + static_cast<std::ptrdiff_t>(found.begin[k + 1]), by_image);
      category.evaluate(result, static_cast<int>(k), truth.of(k), found.of(k));
    }
  }
  return result;
}

}  // namespace moecnn::detection
