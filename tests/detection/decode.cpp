#include "moecnn/detection/decode.hpp"

#include "io/scratch.hpp"
#include "moecnn/core/rng.hpp"
#include "moecnn/detection/iou.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using namespace moecnn::detection;

namespace {

/// Scores [anchors][classes] and deltas [anchors][4] in the order of anchors, and the same in planes.
struct Heads {
  std::vector<float> scores, deltas, score_planes, delta_planes;

  Heads(const Anchors& anchors, int classes, bool logits) {
    const Rng rng(classes, Purpose::other);
    for (std::size_t i = 0; i < anchors.size(); ++i) {
      for (int c = 0; c < classes; ++c) {
        const double u = std::round(1000 * rng.uniform(i, c)) / 1000;  // many are equal
        scores.push_back(static_cast<float>(logits ? 16 * u - 15 : 0.2 * u * u * u * u * u * u));
      }
      for (int d = 0; d < 4; ++d) deltas.push_back(static_cast<float>(2 * rng.uniform(i, 100 + d) - 1));
    }
    score_planes = planes(anchors, scores, classes), delta_planes = planes(anchors, deltas, 4);
  }

  static std::vector<float> planes(const Anchors& anchors, const std::vector<float>& from, int numbers) {
    std::vector<float> to(from.size());
    const int rows = anchors.shapes() * numbers;
    for (const auto& level : anchors.levels()) {
      const int cells = level.grid.h * level.grid.w;
      for (int cell = 0; cell < cells; ++cell)
        for (int r = 0; r < rows; ++r)
          to[level.first * numbers + r * cells + cell] = from[level.first * numbers + cell * rows + r];
    }
    return to;
  }

  std::vector<LevelMaps> maps(const Anchors& anchors, int classes, MapOrder order) const {
    const auto& s = order == MapOrder::planes ? score_planes : scores;
    const auto& d = order == MapOrder::planes ? delta_planes : deltas;
    std::vector<LevelMaps> all;
    for (const auto& level : anchors.levels()) all.push_back({&s[level.first * classes], &d[level.first * 4]});
    return all;
  }
};

bool same(const std::vector<Detection>& a, const std::vector<Detection>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Detection& x, const Detection& y) {
    return x.box == y.box && x.label == y.label && x.score == y.score && x.anchor == y.anchor;
  });
}

/// Greedy suppression of sorted detections.
std::vector<Detection> suppressed(const std::vector<Detection>& sorted) {
  std::vector<Detection> kept;
  for (const auto& d : sorted)
    if (std::none_of(kept.begin(), kept.end(),
                     [&](const auto& k) { return k.label == d.label && iou(k.box, d.box) > 0.5f; }))
      kept.push_back(d);
  return kept;
}

constexpr auto higher = [](const Detection& a, const Detection& b) { return a.score > b.score; };

}  // namespace

TEST_CASE("yhenon's way: class by class, without limits") {
  const Anchors anchors({64, 96});
  const int classes = 5;
  const Heads heads(anchors, classes, false);
  auto opts = DecodeOpts::yhenon(classes);
  std::vector<Detection> expected;
  for (int c = 0; c < classes; ++c) {
    std::vector<Detection> found;
    for (std::size_t i = 0; i < anchors.size(); ++i)
      if (const float s = heads.scores[i * classes + c]; s > 0.05f) {
        const float* d = &heads.deltas[4 * i];
        const Box box = decode(anchors[i], {d[0], d[1], d[2], d[3]}, opts.coder);
        found.push_back({clip(box, {64, 96}, Clip::outer), c, s, static_cast<int>(i)});
      }
    std::stable_sort(found.begin(), found.end(), higher);
    for (const auto& d : suppressed(found)) expected.push_back(d);
  }
  REQUIRE(expected.size() > 100);
  for (const auto order : {MapOrder::planes, MapOrder::cells}) {
    opts.order = order;
    CHECK(same(decode(anchors, heads.maps(anchors, classes, order), {64, 96}, opts), expected));
  }
  // With a limit the best remain, still class by class.
  opts.limit = 20;
  auto best = expected;
  std::stable_sort(best.begin(), best.end(), higher);
  std::vector<Detection> limited;
  for (const auto& d : expected)
    if (std::any_of(best.begin(), best.begin() + 20,
                    [&](const auto& b) { return b.anchor == d.anchor && b.label == d.label; }))
      limited.push_back(d);
  CHECK(limited.size() == 20);
  CHECK(same(decode(anchors, heads.maps(anchors, classes, opts.order), {64, 96}, opts), limited));
}

TEST_CASE("detections know the level of their anchor") {
  const Anchors anchors({128, 160});
  const Heads heads(anchors, 3, false);
  const auto found =
      decode(anchors, heads.maps(anchors, 3, MapOrder::planes), {128, 160}, DecodeOpts::yhenon(/*classes=*/3));
  std::vector<int> boxes(8);
  for (const auto& d : found) {
    CHECK(d.level == anchors.levels()[anchors.level_of(static_cast<std::size_t>(d.anchor))].level);
    ++boxes.at(static_cast<std::size_t>(d.level));
  }
  for (int level = 3; level <= 7; ++level) CHECK_MESSAGE(boxes[static_cast<std::size_t>(level)] > 0, level);
  // Levels need not begin with P3.
  const Anchors coarse({64, 64}, {.first_level = 6, .last_level = 6});
  const Heads some(coarse, 1, false);
  for (const auto& d : decode(coarse, some.maps(coarse, 1, MapOrder::planes), 64, {.classes = 1, .least_score = 0}))
    CHECK(d.level == 6);
}

TEST_CASE("torchvision's way: the best of each level, in the order of scores") {
  const Anchors anchors({128, 96}, AnchorOpts::torchvision());
  const int classes = 3;
  const Heads heads(anchors, classes, true);
  auto opts = DecodeOpts::torchvision(classes);
  opts.best_per_level = 60, opts.limit = 70;
  const Size2 image{120, 90};
  std::vector<Detection> all;
  for (std::size_t l = 0; l < 5; ++l) {
    std::vector<Detection> found;
    const std::size_t end = l < 4 ? anchors.levels()[l + 1].first : anchors.size();
    for (std::size_t i = anchors.levels()[l].first; i < end; ++i)
      for (int c = 0; c < classes; ++c) {
        const float s = 1 / (1 + std::exp(-heads.scores[i * classes + c]));
        const float* d = &heads.deltas[4 * i];
        const Box box = decode(anchors[i], {d[0], d[1], d[2], d[3]}, opts.coder);
        if (s > 0.05f) found.push_back({clip(box, image, Clip::all), c, s, static_cast<int>(i)});
      }
    std::stable_sort(found.begin(), found.end(), higher);
    if (found.size() > 60) found.resize(60);
    all.insert(all.end(), found.begin(), found.end());
  }
  std::stable_sort(all.begin(), all.end(), [](auto& a, auto& b) { return a.label < b.label; });
  std::stable_sort(all.begin(), all.end(), higher);
  auto expected = suppressed(all);
  REQUIRE(expected.size() > 70);
  expected.resize(70);
  for (const auto order : {MapOrder::planes, MapOrder::cells}) {
    opts.order = order;
    CHECK(same(decode(anchors, heads.maps(anchors, classes, order), image, opts), expected));
  }
}

TEST_CASE("scores at the border, logits at the border") {
  CHECK(1 / (1 + std::exp(-detection::detail::lowest_logit(0.05f))) < 0.05f);
  CHECK(detection::detail::lowest_logit(0) == -INFINITY);
  const Anchors anchors({8, 8}, {.last_level = 3});
  std::vector<float> scores(9, 0), deltas(36, 0);
  scores[3] = 0.05f, scores[4] = 0.050001f;
  const std::vector<LevelMaps> maps{{scores.data(), deltas.data()}};
  const auto found = decode(anchors, maps, {8, 8}, {.classes = 1});
  REQUIRE(found.size() == 1);
  CHECK(found[0].anchor == 4);
  CHECK(found[0].box == Box{0, 0, 8, 8});
}

TEST_CASE("nothing, NaN and infinity are no detections") {
  const Anchors anchors({64, 64});
  Heads heads(anchors, 2, false);
  for (auto* numbers : {&heads.scores, &heads.score_planes}) std::fill(numbers->begin(), numbers->end(), NAN);
  CHECK(decode(anchors, heads.maps(anchors, 2, MapOrder::planes), 64, DecodeOpts::yhenon(2)).empty());
  CHECK(decode(anchors, heads.maps(anchors, 2, MapOrder::cells), 64, DecodeOpts::torchvision(2)).empty());
  std::fill(heads.score_planes.begin(), heads.score_planes.end(), 0.5f);
  std::fill(heads.delta_planes.begin(), heads.delta_planes.end(), NAN);
  CHECK(decode(anchors, heads.maps(anchors, 2, MapOrder::planes), 64, DecodeOpts::yhenon(2)).empty());
  std::fill(heads.delta_planes.begin(), heads.delta_planes.end(), 1000);  // sides beyond all floats, clipped
  for (const auto& d : decode(anchors, heads.maps(anchors, 2, MapOrder::planes), 64, DecodeOpts::yhenon(2))) {
    CHECK(std::isfinite(d.box.x1));
    CHECK(d.box.x2 <= 64);
  }
}

TEST_CASE("maps that do not fit") {
  const Anchors anchors({64, 64});
  CHECK(has(error_of([&] { decode(anchors, {}, 64, {}); }), "maps of 0 levels for anchors on 5"));
  const std::vector<LevelMaps> maps(5);
  CHECK(has(error_of([&] { decode(anchors, maps, 64, {}); }), "level 0 has no scores or no deltas"));
  CHECK(has(error_of([&] { decode(anchors, maps, 64, {.classes = 0}); }), "a detector of 0 classes"));
  CHECK(has(error_of([&] { decode(anchors, maps, 64, {.least_score = NAN}); }), "a score of nan"));
  CHECK(has(error_of([&] { decode(anchors, maps, 64, {.limit = -1}); }), "-1 per image; 0 means all"));
}
