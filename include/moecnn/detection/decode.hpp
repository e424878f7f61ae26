#pragma once
/// \file
/// From the maps of a detector's heads to its detections in one image.

#include "moecnn/detection/anchors.hpp"
#include "moecnn/detection/box_coder.hpp"
#include "moecnn/detection/nms.hpp"

namespace moecnn::detection {

/// How the numbers of a level lie in memory; a score has an anchor of the cell, a class and a cell.
enum class MapOrder {
  planes,  ///< [anchor][class][row][column], deltas [anchor][4][row][column]: as convolutions give them
  cells    ///< [row][column][anchor][class], deltas [row][column][anchor][4]: in the order of Anchors
};

/// One level of one image.
struct LevelMaps {
  const float* scores = nullptr;
  const float* deltas = nullptr;
};

struct DecodeOpts {
  int classes = 80;
  MapOrder order = MapOrder::planes;
  bool logits = false;        ///< scores are to go through the sigmoid
  float least_score = 0.05f;  ///< scores above it are detections
  int best_per_level = 0;     ///< of each level, pairs of anchor and class with the highest scores; 0: all
  float nms = 0.5f;           ///< see nms()
  int limit = 0;              ///< detections per image, those with the highest scores; 0: all
  bool by_score = false;      ///< the result is in the order of scores instead of class by class
  BoxCoderOpts coder{};

  /// As yhenon/pytorch-retinanet does it.
  static constexpr DecodeOpts yhenon(int classes) { return {.classes = classes}; }
  /// As torchvision's RetinaNet does it.
  static constexpr DecodeOpts torchvision(int classes) {
    return {.classes = classes,
            .logits = true,
            .best_per_level = 1000,
            .limit = 300,
            .by_score = true,
            .coder = BoxCoderOpts::torchvision()};
  }
};

namespace detail {

/// A score that is high enough.
struct Candidate {
  float score;
  int anchor, label;

  /// Equal scores go by anchor and class, so that the order never depends on how a map lies in memory.
  static bool better(const Candidate& a, const Candidate& b) {
    if (a.score != b.score) return a.score > b.score;
    return a.anchor != b.anchor ? a.anchor < b.anchor : a.label < b.label;
  }
};

/// Calls `f(i)` for all x[i] > limit. Few are, so blocks are looked through before numbers.
template <class F>
void each_above(const float* x, std::size_t n, float limit, const F& f) {
  constexpr std::size_t block = 64;
  for (std::size_t at = 0; at < n; at += block) {
    const std::size_t end = std::min(n, at + block);
    int any = 0;
#pragma omp simd reduction(| : any)
    for (std::size_t i = at; i < end; ++i) any |= x[i] > limit;
    if (!any) continue;
    for (std::size_t i = at; i < end; ++i)
      if (x[i] > limit) f(i);
  }
}

/// A logit below all whose sigmoid is larger than `score`, whatever rounding does.
inline float lowest_logit(float score) {
  return score > 0 ? std::log(score / (1 - score)) - 1e-3f : -std::numeric_limits<float>::infinity();
}

/// Adds the candidates of one level.
inline void collect(const AnchorLevel& level, int shapes, const float* scores, const DecodeOpts& opts,
                    std::vector<Candidate>& found) {
  const auto cells = static_cast<std::size_t>(level.grid.h) * level.grid.w, classes = std::size_t(opts.classes);
  const std::size_t n = cells * shapes * classes, piece = 1 << 16, pieces = (n + piece - 1) / piece;
  const float limit = opts.logits ? lowest_logit(opts.least_score) : opts.least_score;
#pragma omp parallel if (worth_sharing(static_cast<long long>(n)))
  {
    std::vector<Candidate> mine;
#pragma omp for schedule(static) nowait
    for (std::size_t p = 0; p < pieces; ++p)
      each_above(scores + p * piece, std::min(piece, n - p * piece), limit, [&](std::size_t in_piece) {
        const std::size_t i = p * piece + in_piece;
        const float score = opts.logits ? 1 / (1 + std::exp(-scores[i])) : scores[i];
        if (!(score > opts.least_score)) return;
        const bool planes = opts.order == MapOrder::planes;
        const std::size_t row = planes ? i / cells : i % (shapes * classes);  // anchor · classes + class
        const std::size_t cell = planes ? i % cells : i / (shapes * classes);
        mine.push_back(
            {score, static_cast<int>(level.first + cell * shapes + row / classes), static_cast<int>(row % classes)});
      });
#pragma omp critical(moecnn_decode)
    found.insert(found.end(), mine.begin(), mine.end());
  }
}

inline Deltas deltas_of(const float* map, const AnchorLevel& level, int shapes, std::size_t anchor, MapOrder order) {
  const auto cells = static_cast<std::size_t>(level.grid.h) * level.grid.w, i = anchor - level.first;
  if (order == MapOrder::cells) return {map[4 * i], map[4 * i + 1], map[4 * i + 2], map[4 * i + 3]};
  const float* p = map + i % shapes * 4 * cells + i / shapes;
  return {p[0], p[cells], p[2 * cells], p[3 * cells]};
}

}  // namespace detail

/// Detections in an image, from the maps of all levels of `anchors`. Boxes are clipped to `image`, the part of the padded
/// image that counts. Scores that are NaN and boxes that are not finite are no detections.
inline std::vector<Detection> decode(const Anchors& anchors, std::span<const LevelMaps> maps, Size2 image,
                                     const DecodeOpts& opts) {
  check(maps.size() == anchors.levels().size(), "maps of {} levels for anchors on {}", maps.size(),
        anchors.levels().size());
  check(opts.classes >= 1, "a detector of {} classes; expected 1 at least", opts.classes);
  check(opts.least_score >= 0 && opts.least_score <= 1, "detections from a score of {} on; expected 0 to 1",
        opts.least_score);
  check(opts.best_per_level >= 0 && opts.limit >= 0, "at most {} detections per level and {} per image; 0 means all",
        opts.best_per_level, opts.limit);
  std::vector<Detection> all;
  std::vector<detail::Candidate> found;
  for (std::size_t l = 0; l < maps.size(); ++l) {
    const AnchorLevel& level = anchors.levels()[l];
    check(maps[l].scores && maps[l].deltas, "level {} has no scores or no deltas", l);
    found.clear();
    detail::collect(level, anchors.shapes(), maps[l].scores, opts, found);
    if (const auto best = static_cast<std::size_t>(opts.best_per_level); best > 0 && found.size() > best) {
      std::nth_element(found.begin(), found.begin() + opts.best_per_level, found.end(), detail::Candidate::better);
      found.resize(best);
    }
    std::sort(found.begin(), found.end(), detail::Candidate::better);
    for (const auto& c : found) {
      const auto a = static_cast<std::size_t>(c.anchor);
      const Deltas d = detail::deltas_of(maps[l].deltas, level, anchors.shapes(), a, opts.order);
      all.push_back({.box = clip(decode(anchors[a], d, opts.coder), image, opts.coder.clip),
                     .label = c.label,
                     .score = c.score,
                     .anchor = c.anchor,
                     .level = level.level});
    }
  }
  std::vector<int> kept = nms(all, opts.nms);  // levels rise, so equal scores stay in the order of anchors
  const auto higher = [&](int a, int b) { return all[a].score > all[b].score; };
  std::vector<int> ranked = kept;
  std::stable_sort(ranked.begin(), ranked.end(), higher);
  if (opts.limit > 0 && ranked.size() > static_cast<std::size_t>(opts.limit)) {
    ranked.resize(static_cast<std::size_t>(opts.limit));
    if (!opts.by_score) {
      std::vector<char> stays(all.size(), 0);
      for (const int i : ranked) stays[i] = 1;
      std::erase_if(kept, [&](int i) { return !stays[i]; });
    }
  }
  std::vector<Detection> result;
  for (const int i : opts.by_score ? ranked : kept) result.push_back(all[i]);
  return result;
}

}  // namespace moecnn::detection
