#pragma once
/// \file
/// The numbers of COCO's metric, and the curves that they are means of.

#include "moecnn/core/error.hpp"
#include "moecnn/core/separate_rounding.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

namespace moecnn::detection {

namespace detail {

/// numpy's linspace: i · step + first, and the last as it is.
MOECNN_SEPARATE_ROUNDING inline std::vector<double> spaced(double first, double last, int count) {
  const double step = (last - first) / (count - 1);
  std::vector<double> all;
  for (int i = 0; i < count; ++i) {
    const double way = i * step;
    all.push_back(first + way);
  }
  all.back() = last;
  return all;
}

}  // namespace detail

/// Objects with an area of low … high, both included: one of 32² is small and medium.
struct AreaRange {
  double low = 0, high = 1e10;
};

/// The defaults are COCO's. With others, means over thresholds and sizes are of these.
struct CocoMetricOpts {
  std::vector<double> ious = detail::spaced(0.5, 0.95, 10);  ///< overlaps that make a detection right
  std::vector<double> recalls = detail::spaced(0, 1, 101);   ///< places where precision is read off
  std::array<AreaRange, 4> areas{{{0, 1e10}, {0, 1024}, {1024, 9216}, {9216, 1e10}}};  ///< all, small, medium, large
  std::array<int, 3> limits{1, 10,
                            100};  ///< detections per image and category, rising; nothing sees more than the last
};

/// Positions in `areas`, for CocoSlice.
enum CocoArea { any_area, small_area, medium_area, large_area };

/// What a mean is taken over.
struct CocoSlice {
  double iou = 0;     ///< one of the thresholds; 0: all
  int category = -1;  ///< position in categories(); -1: all
  int area = any_area;
  int limit = 2;  ///< position in `limits`
};

/// COCO's twelve numbers have these names, in the order of its table.
inline constexpr std::array<const char*, 12> coco_stat_names{"AP",  "AP50", "AP75",  "APs", "APm", "APl",
                                                             "AR1", "AR10", "AR100", "ARs", "ARm", "ARl"};

/// Values are -1 where a category has no object of a size; means leave these out and are -1 when none is left.
class CocoResult {
 public:
  CocoResult(CocoMetricOpts opts, std::vector<std::int64_t> categories)
      : opts_(std::move(opts)), categories_(std::move(categories)) {
    recall_.assign(opts_.ious.size() * categories_.size() * areas * limits, -1);
    precision_.assign(recall_.size() * opts_.recalls.size(), -1);
    score_ = precision_;
    truths_.assign(categories_.size() * areas, 0);
  }

  const CocoMetricOpts& opts() const { return opts_; }
  const std::vector<std::int64_t>& categories() const { return categories_; }  ///< ids, rising

  /// Of threshold t, category k, area a, limit m (positions): precision at each of opts().recalls, made to fall.
  std::span<const double> precision(int t, int k, int a, int m) const { return curve(precision_, t, k, a, m); }
  /// The lowest score among the detections that reach each recall; 0 where it is not reached.
  std::span<const double> scores(int t, int k, int a, int m) const { return curve(score_, t, k, a, m); }
  /// Share of the objects that are found by all detections.
  double recall(int t, int k, int a, int m) const { return recall_[index(t, k, a, m)]; }
  /// Objects of a category and size that count, which crowds do not.
  long long truths(int k, int a) const { return truths_[at(k, categories_.size()) * areas + at(a, areas)]; }

  /// Average precision: the mean over thresholds, categories and recalls.
  double ap(const CocoSlice& slice = {}) const {
    return mean(slice, [&](int t, int k, auto& add) {
      for (const double p : precision(t, k, slice.area, slice.limit)) add(p);
    });
  }
  /// Average recall: the mean over thresholds and categories.
  double ar(const CocoSlice& slice = {}) const {
    return mean(slice, [&](int t, int k, auto& add) { add(recall(t, k, slice.area, slice.limit)); });
  }

  /// The twelve numbers. As in pycocotools, the first wants a limit of 100 and is -1 if there is none.
  std::array<double, 12> stats() const {
    const auto hundred = std::find(opts_.limits.begin(), opts_.limits.end(), 100);
    return {hundred == opts_.limits.end() ? -1 : ap({.limit = static_cast<int>(hundred - opts_.limits.begin())}),
            ap({.iou = 0.5}),
            ap({.iou = 0.75}),
            ap({.area = small_area}),
            ap({.area = medium_area}),
            ap({.area = large_area}),
            ar({.limit = 0}),
            ar({.limit = 1}),
            ar(),
            ar({.area = small_area}),
            ar({.area = medium_area}),
            ar({.area = large_area})};
  }

  /// Sets the numbers of one place; for coco_metric(). Different places may be set by different threads.
  void set_truths(int k, int a, long long count) { truths_[at(k, categories_.size()) * areas + at(a, areas)] = count; }
  void set(int t, int k, int a, int m, double recall, std::span<const double> precision,
           std::span<const double> scores) {
    const std::size_t i = index(t, k, a, m), n = opts_.recalls.size();
    recall_[i] = recall;
    std::copy(precision.begin(), precision.end(), precision_.begin() + static_cast<std::ptrdiff_t>(i * n));
    std::copy(scores.begin(), scores.end(), score_.begin() + static_cast<std::ptrdiff_t>(i * n));
  }

 private:
  static constexpr std::size_t areas = 4, limits = 3;

  static std::size_t at(int i, std::size_t count) {
    check(i >= 0 && static_cast<std::size_t>(i) < count, "position {} in a table of {} of COCO's metric", i, count);
    return static_cast<std::size_t>(i);
  }
  std::size_t index(int t, int k, int a, int m) const {
    return ((at(t, opts_.ious.size()) * categories_.size() + at(k, categories_.size())) * areas + at(a, areas)) *
               limits +
           at(m, limits);
  }
  std::span<const double> curve(const std::vector<double>& of, int t, int k, int a, int m) const {
    return {of.data() + index(t, k, a, m) * opts_.recalls.size(), opts_.recalls.size()};
  }
  template <class F>
  double mean(const CocoSlice& slice, const F& each) const {
    double sum = 0, lost = 0;  // Kahan's sum: up to a hundred thousand numbers, and nothing lost by their order
    long long count = 0;
    const auto add = [&](double x) {
      if (!(x > -1)) return;
      const double more = x - lost, next = sum + more;
      lost = (next - sum) - more, sum = next, ++count;
    };
    for (int t = 0; t < static_cast<int>(opts_.ious.size()); ++t)
      if (slice.iou == 0 || std::abs(slice.iou - opts_.ious[static_cast<std::size_t>(t)]) < 1e-9)
        for (int k = 0; k < static_cast<int>(categories_.size()); ++k)
          if (slice.category < 0 || slice.category == k) each(t, k, add);
    return count > 0 ? sum / static_cast<double>(count) : -1;
  }

  CocoMetricOpts opts_;
  std::vector<std::int64_t> categories_;
  std::vector<double> precision_, score_;  ///< thresholds × categories × areas × limits × recalls
  std::vector<double> recall_;             ///< thresholds × categories × areas × limits
  std::vector<long long> truths_;          ///< categories × areas
};

}  // namespace moecnn::detection
