#pragma once
/// \file
/// Which anchor should find which object: dense targets of one image. Loaders call it for every image, so it computes
/// overlaps only where there are some.

#include "moecnn/detection/anchors.hpp"
#include "moecnn/detection/box_coder.hpp"
#include "moecnn/detection/iou.hpp"

#include <algorithm>

namespace moecnn::detection {

/// Classes of anchors that should find nothing, and of anchors that count for no loss.
inline constexpr std::int32_t no_object = -1, ignored_anchor = -2;

struct MatchOpts {
  float low = 0.4f;   ///< an anchor whose best overlap is smaller should find nothing
  float high = 0.5f;  ///< one whose best overlap is at least this should find that object; between, it is ignored
  bool best_of_each = false;  ///< positive besides: anchors that no other beats at overlapping some object
  bool crowds = false;        ///< whether crowds are objects; if not, they are left out
  float least_side = 1;       ///< objects with a smaller side, in pixels, are left out; 0: those of no size
  BoxCoderOpts coder{};

  /// As yhenon/pytorch-retinanet does it (whose loader looks at sides before it resizes).
  static constexpr MatchOpts yhenon() { return {}; }
  /// As torchvision's RetinaNet does it. An anchor that is the best of one object may still overlap another one more: it
  /// should find the latter.
  static constexpr MatchOpts torchvision() {
    return {.best_of_each = true, .least_side = 0, .coder = BoxCoderOpts::torchvision()};
  }
};

/// Whether an object takes part.
inline bool takes_part(const Object& object, const MatchOpts& opts) {
  const float w = object.box.width(), h = object.box.height();
  return (opts.crowds || !object.crowd) && w > 0 && h > 0 && w >= opts.least_side && h >= opts.least_side;
}

namespace detail {

/// Overlaps of a box with the anchors of one shape along one axis, for those cells where there is one.
struct AxisOverlap {
  int first = 0;
  std::vector<float> both, side;  ///< length of the overlap, and of the anchor's side
  float most_both = 0, least_side = 0;

  int count() const { return static_cast<int>(both.size()); }

  /// Both edges of the anchors grow from cell to cell.
  void measure(std::span<const float> low, std::span<const float> high, float from, float to) {
    const auto begin = std::partition_point(high.begin(), high.end(), [&](float h) { return h <= from; });
    const auto end = std::partition_point(low.begin(), low.end(), [&](float l) { return l < to; });
    first = static_cast<int>(begin - high.begin());
    const auto n = static_cast<std::size_t>(std::max(0, static_cast<int>(end - low.begin()) - first));
    both.resize(n), side.resize(n);
    most_both = 0, least_side = std::numeric_limits<float>::infinity();
    for (std::size_t i = 0; i < n; ++i) {
      const float l = low[first + i], h = high[first + i];
      both[i] = std::min(h, to) - std::max(l, from), side[i] = h - l;
      most_both = std::max(most_both, both[i]), least_side = std::min(least_side, side[i]);
    }
  }
};

/// No anchor with at least these sides and at most these overlaps has a larger intersection over union with a box of
/// `area`; rounded up.
inline float most_iou(float w, float h, float both_w, float both_h, float area) {
  const float both = both_w * both_h;
  return 1.0001f * both / (std::max(w * h, both) + area - both);
}

/// Intersection over union along a row of n anchors, see iou().
MOECNN_SEPARATE_ROUNDING inline void iou_row(const AxisOverlap& columns, float both_h, float side_h, float box_area,
                                             float* out) {
  const int n = columns.count();
  const float* both_w = columns.both.data();
  const float* side_w = columns.side.data();
  for (int i = 0; i < n; ++i) {
    const float both = both_w[i] * both_h;
    const float area = side_w[i] * side_h;
    const float sum = area + box_area;
    out[i] = both / (sum - both);
  }
}

}  // namespace detail

/// Keeps memory between images: one per thread.
class Matcher {
 public:
  explicit Matcher(const MatchOpts& opts = {}) : opts_(opts) {
    check(0 < opts.low && opts.low <= opts.high && opts.high <= 1,
          "anchors matched from an overlap of {} on, and to nothing below {}; expected 0 < low ≤ high ≤ 1", opts.high,
          opts.low);
  }
  const MatchOpts& opts() const { return opts_; }

  /// Writes for each anchor the label of its object, `no_object` or `ignored_anchor` to `classes` [anchors], and the
  /// object's deltas to `deltas` [anchors][4], 0 where there is none. Of objects that an anchor overlaps equally it takes
  /// the first. Throws Error for boxes that are not finite and for labels below 0.
  void match(const Anchors& anchors, std::span<const Object> objects, std::span<std::int32_t> classes,
             std::span<float> deltas) {
    check(classes.size() == anchors.size() && deltas.size() == 4 * anchors.size(),
          "targets of {} anchors with room for {} classes and {} deltas; expected one class and four deltas each",
          anchors.size(), classes.size(), deltas.size());
    take(objects);
    std::fill(deltas.begin(), deltas.end(), 0.0f);
    std::fill(classes.begin(), classes.end(), no_object);
    if (objects_.empty()) return;
    best_.assign(anchors.size(), 0);
    sure_.clear();
    for (std::size_t t = 0; t < objects_.size(); ++t) find(anchors, static_cast<int>(t), classes);
    for (const std::size_t i : sure_) choose(anchors[i], i, classes);
    for (std::size_t i = 0; i < classes.size(); ++i) {
      if (classes[i] < 0) continue;
      if (best_[i] < opts_.high) {
        classes[i] = best_[i] < opts_.low ? no_object : ignored_anchor;
        continue;
      }
      const Object& object = *objects_[static_cast<std::size_t>(classes[i])];
      classes[i] = object.label;
      const Deltas d = encode(anchors[i], object.box, opts_.coder);
      std::copy(d.begin(), d.end(), deltas.begin() + static_cast<std::ptrdiff_t>(4 * i));
    }
  }

 private:
  void take(std::span<const Object> objects) {
    objects_.clear();
    for (std::size_t i = 0; i < objects.size(); ++i) {
      const Box& b = objects[i].box;
      check(std::isfinite(b.x1) && std::isfinite(b.y1) && std::isfinite(b.x2) && std::isfinite(b.y2),
            "object {} of {} has the box ({}, {}, {}, {}); expected four finite numbers", i, objects.size(), b.x1, b.y1,
            b.x2, b.y2);
      check(objects[i].label >= 0, "object {} of {} has label {}; expected a class from 0", i, objects.size(),
            objects[i].label);
      if (takes_part(objects[i], opts_)) objects_.push_back(&objects[i]);
    }
  }

  /// Notes object t, for the time being as its number, where it overlaps an anchor more than those before it.
  void find(const Anchors& anchors, int t, std::span<std::int32_t> classes) {
    float top = 0;
    const auto limit = [&] { return opts_.best_of_each ? std::min(top, opts_.low) : opts_.low; };
    each_overlap(anchors, objects_[static_cast<std::size_t>(t)]->box, limit, [&](std::size_t i, float iou) {
      if (iou > best_[i]) best_[i] = iou, classes[i] = t;
      top = std::max(top, iou);
    });
    if (!opts_.best_of_each || top >= opts_.high || top == 0) return;
    const auto note = [&](std::size_t i, float iou) {
      if (iou == top) sure_.push_back(i);
    };
    each_overlap(
        anchors, objects_[static_cast<std::size_t>(t)]->box, [&] { return top; }, note);
  }

  /// Calls `f(anchor, iou)` for all anchors that overlap the box by `limit()` or more, and for some others.
  template <class Limit, class F>
  void each_overlap(const Anchors& anchors, const Box& box, const Limit& limit, const F& f) {
    const float area = box.area();
    const auto shapes = static_cast<std::size_t>(anchors.shapes());
    // From the large anchors, which are few, to the small: limits that rise then leave out more.
    for (auto it = anchors.levels().rbegin(); it != anchors.levels().rend(); ++it) {
      const AnchorLevel& level = *it;
      const auto [h, w] = level.grid;
      for (std::size_t s = 0; s < shapes; ++s) {
        columns_.measure({&level.x1[s * w], std::size_t(w)}, {&level.x2[s * w], std::size_t(w)}, box.x1, box.x2);
        rows_.measure({&level.y1[s * h], std::size_t(h)}, {&level.y2[s * h], std::size_t(h)}, box.y1, box.y2);
        row_.resize(columns_.both.size());
        for (int r = 0; r < rows_.count(); ++r) {
          const float both = rows_.both[r], side = rows_.side[r];
          if (detail::most_iou(columns_.least_side, side, columns_.most_both, both, area) < limit()) continue;
          detail::iou_row(columns_, both, side, area, row_.data());
          const std::size_t first = static_cast<std::size_t>(rows_.first + r) * w + columns_.first;
          for (int c = 0; c < columns_.count(); ++c) f(level.first + (first + c) * shapes + s, row_[c]);
        }
      }
    }
  }

  /// An anchor that is the best of some object is positive, for the object that it overlaps most.
  void choose(const Box& anchor, std::size_t i, std::span<std::int32_t> classes) {
    best_[i] = 0;
    for (std::size_t t = 0; t < objects_.size(); ++t)
      if (const float x = iou(anchor, objects_[t]->box); x > best_[i])
        best_[i] = x, classes[i] = static_cast<std::int32_t>(t);
    best_[i] = std::max(best_[i], opts_.high);
  }

  MatchOpts opts_;
  std::vector<const Object*> objects_;
  std::vector<float> best_, row_;  ///< best overlap of each anchor so far; overlaps of a row of anchors
  std::vector<std::size_t> sure_;  ///< anchors that are positive for the sake of an object
  detail::AxisOverlap columns_, rows_;
};

}  // namespace moecnn::detection
