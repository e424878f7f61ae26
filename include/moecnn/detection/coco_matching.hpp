#pragma once
/// \file
/// Which detections of one category found an object, by COCO's rules, and the curve of precision over recall that follows.

#include "moecnn/detection/coco_boxes.hpp"
#include "moecnn/detection/coco_result.hpp"

namespace moecnn::detection::detail {

/// One bit per threshold.
using Bits = std::uint64_t;
inline constexpr int bits_at_most = 64;

/// What a detection did in each range of areas.
struct Outcome {
  std::array<Bits, 4> found{};    ///< an object
  std::array<Bits, 4> ignored{};  ///< counts neither as right nor as wrong
};

inline bool outside(double area, const AreaRange& range) { return area < range.low || area > range.high; }

/// Matches the detections of one category in one image after the other. Thresholds do not see each other, so there is one
/// pass over the detections, and only objects that one overlaps enough for the lowest threshold are looked at again.
class CocoMatching {
 public:
  explicit CocoMatching(const CocoMetricOpts& opts) : opts_(opts) {
    for (const double t : opts.ious) limits_.push_back(std::min(t, 1 - 1e-10));
    lowest_ = *std::min_element(limits_.begin(), limits_.end());
  }

  /// The objects of an image and category in the order of the file.
  void begin(std::span<const CocoTruth> truths) {
    truths_ = truths;
    ignored_.assign(truths.size(), {});
    taken_.assign(truths.size(), {});
    for (std::size_t g = 0; g < truths.size(); ++g)
      for (std::size_t a = 0; a < opts_.areas.size(); ++a)
        ignored_[g][a] = truths[g].crowd || outside(truths[g].area, opts_.areas[a]);
  }
  bool ignored(std::size_t truth, std::size_t area) const { return ignored_[truth][area]; }

  /// The next detection, in the order of falling scores.
  Outcome match(const CocoBox& box) {
    near_.clear();
    for (std::size_t g = 0; g < truths_.size(); ++g)
      if (const double iou = coco_iou(box, truths_[g].box, truths_[g].crowd); !(iou < lowest_))
        near_.push_back({iou, g});
    Outcome out;
    for (std::size_t a = 0; a < opts_.areas.size(); ++a) {
      if (!near_.empty())
        for (std::size_t t = 0; t < limits_.size(); ++t) match(a, t, out);
      if (outside(box.area(), opts_.areas[a])) out.ignored[a] |= ~out.found[a];
    }
    return out;
  }

 private:
  struct Near {
    double iou;
    std::size_t truth;
  };

  /// Objects that count come first, then those that are ignored; of the objects of one kind the best, of equal ones the
  /// last.
  void match(std::size_t a, std::size_t t, Outcome& out) {
    const Bits bit = Bits{1} << t;
    const Near* best = nullptr;
    for (const bool ignored : {false, true}) {
      double least = limits_[t];
      for (const Near& near : near_) {
        if (ignored_[near.truth][a] != ignored || near.iou < least) continue;
        if ((taken_[near.truth][a] & bit) && !truths_[near.truth].crowd) continue;
        least = near.iou, best = &near;
      }
      if (best) break;
    }
    if (!best) return;
    taken_[best->truth][a] |= bit;
    if (ignored_[best->truth][a]) out.ignored[a] |= bit;
    if (truths_[best->truth].id != 0) out.found[a] |= bit;
  }

  const CocoMetricOpts& opts_;
  std::vector<double> limits_;
  double lowest_ = 0;
  std::span<const CocoTruth> truths_;
  std::vector<std::array<bool, 4>> ignored_;  ///< by truth and area
  std::vector<std::array<Bits, 4>> taken_;
  std::vector<Near> near_;
};

/// A detection among all of its category.
struct Ranked {
  double score;
  int rank;  ///< among the detections of its image and category, from 0
  Outcome outcome;
};

/// Fills in the curve of one threshold, category, area and limit. `sorted`: by falling score. Keeps memory.
class CocoCurve {
 public:
  void fill(CocoResult& result, std::span<const Ranked> sorted, int t, int k, int a, int m) {
    const auto& opts = result.opts();
    const double truths = static_cast<double>(result.truths(k, a));
    const int limit = opts.limits[static_cast<std::size_t>(m)];
    const Bits bit = Bits{1} << t;
    hits_.assign(1, {0, 0});  // as many as objects found; the first stands for the beginning
    double found = 0, wrong = 0;
    bool any = false;
    for (const Ranked& d : sorted) {
      if (d.rank >= limit) continue;
      if (!any) any = true, hits_[0].score = d.score;
      const auto& o = d.outcome;
      if (o.ignored[static_cast<std::size_t>(a)] & bit) continue;
      if (!(o.found[static_cast<std::size_t>(a)] & bit)) {
        ++wrong;
        continue;
      }
      ++found;
      hits_.push_back({found / (wrong + found + epsilon), d.score});
    }
    for (std::size_t i = hits_.size() - 1; i > 0; --i)
      hits_[i - 1].precision = std::max(hits_[i - 1].precision, hits_[i].precision);
    precision_.assign(opts.recalls.size(), 0), score_.assign(opts.recalls.size(), 0);
    std::size_t i = 0;
    for (std::size_t r = 0; any && r < opts.recalls.size(); ++r) {
      while (i < hits_.size() && static_cast<double>(i) / truths < opts.recalls[r]) ++i;
      if (i == hits_.size()) break;
      precision_[r] = hits_[i].precision, score_[r] = hits_[i].score;
    }
    result.set(t, k, a, m, found / truths, precision_, score_);
  }

 private:
  static constexpr double epsilon = 2.220446049250313e-16;
  struct Hit {
    double precision, score;
  };
  std::vector<Hit> hits_;
  std::vector<double> precision_, score_;
};

}  // namespace moecnn::detection::detail
