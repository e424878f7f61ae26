#include "moecnn/detection/matcher.hpp"

#include "io/scratch.hpp"
#include "moecnn/core/rng.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using namespace moecnn::detection;

namespace {

struct Matched {
  std::vector<std::int32_t> classes;
  std::vector<float> deltas;

  explicit Matched(std::size_t anchors) : classes(anchors, 77), deltas(4 * anchors, 77) {}
  auto count(std::int32_t c) const { return std::count(classes.begin(), classes.end(), c); }
  bool operator==(const Matched&) const = default;
};

Matched matched(const Anchors& anchors, const std::vector<Object>& objects, const MatchOpts& opts) {
  Matched t(anchors.size());
  Matcher(opts).match(anchors, objects, t.classes, t.deltas);
  return t;
}

/// All pairs, as both programs write it.
Matched matched_naively(const Anchors& anchors, const std::vector<Object>& all, const MatchOpts& opts) {
  std::vector<Object> objects;
  for (const Object& o : all)
    if (takes_part(o, opts)) objects.push_back(o);
  const std::size_t n = anchors.size();
  std::vector<float> best(n, -1), top(objects.size(), -1);
  std::vector<std::size_t> match(n);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t t = 0; t < objects.size(); ++t) {
      const float x = iou(anchors[i], objects[t].box);
      if (x > best[i]) best[i] = x, match[i] = t;
      top[t] = std::max(top[t], x);
    }
  Matched out(n);
  for (std::size_t i = 0; i < n; ++i) {
    bool positive = best[i] >= opts.high;
    for (std::size_t t = 0; opts.best_of_each && t < objects.size(); ++t)
      positive |= iou(anchors[i], objects[t].box) == top[t] && top[t] > 0;
    out.classes[i] = positive ? objects[match[i]].label : best[i] < opts.low ? no_object : ignored_anchor;
    const Deltas d = positive ? encode(anchors[i], objects[match[i]].box, opts.coder) : Deltas{};
    std::copy(d.begin(), d.end(), &out.deltas[4 * i]);
  }
  return out;
}

/// Boxes of all sizes, some on whole pixels, two of them twice, some crowds, some thinner than a pixel, some outside.
std::vector<Object> scene(int count, std::uint64_t seed, Size2 image) {
  const Rng rng(seed, Purpose::other);
  std::vector<Object> objects;
  for (int i = 0; i < count; ++i) {
    const auto u = [&](int lane) { return static_cast<float>(rng.uniform(i, lane)); };
    const float w = u(0) < 0.1f ? 0.9f : std::exp(1 + 5 * u(1)), h = w * std::exp(2 * u(2) - 1);
    Box b{image.w * u(3), image.h * u(4), 0, 0};
    b.x2 = b.x1 + w, b.y2 = b.y1 + h;
    if (u(5) < 0.3f) b = {std::round(b.x1), std::round(b.y1), std::round(b.x2), std::round(b.y2)};
    objects.push_back({.box = b, .label = i % 7, .crowd = u(6) < 0.1f});
  }
  for (int i = 0; i < 2 && i < count; ++i) {
    objects.push_back(objects[static_cast<std::size_t>(i)]);
    objects.back().label = 9;
  }
  return objects;
}

}  // namespace

TEST_CASE("the same targets as from all pairs of anchors and objects") {
  for (const bool torchvision : {false, true})
    for (const Size2 image : {Size2(96, 160), Size2(131, 67)}) {
      const Anchors anchors(image, torchvision ? AnchorOpts::torchvision() : AnchorOpts::yhenon());
      for (int seed = 0; seed < 8; ++seed) {
        const auto objects = scene(1 + 4 * seed, seed, image);
        for (auto opts :
             {torchvision ? MatchOpts::torchvision() : MatchOpts::yhenon(),
              MatchOpts{.low = 0.1f, .high = 0.7f, .best_of_each = true, .crowds = true, .least_side = 3}}) {
          CAPTURE(seed);
          CAPTURE(torchvision);
          CHECK(matched(anchors, objects, opts) == matched_naively(anchors, objects, opts));
        }
      }
    }
}

TEST_CASE("an object that is exactly an anchor") {
  const Anchors anchors({64, 64});
  const std::size_t at = 9 * (3 * 8 + 4) + 3;
  const Matched t = matched(anchors, {{.box = anchors[at], .label = 5}}, {});
  CHECK(t.classes[at] == 5);
  for (int i = 0; i < 4; ++i) CHECK(t.deltas[4 * at + i] == 0);
  CHECK(t.count(5) > 1);
  CHECK(t.count(ignored_anchor) > 0);
  CHECK(t.count(5) + t.count(ignored_anchor) + t.count(no_object) == static_cast<long>(anchors.size()));
}

TEST_CASE("an object that no anchor overlaps by half has its best anchors in torchvision only") {
  const Anchors anchors({64, 64});
  const std::vector<Object> objects{{.box = {10, 10, 13, 13}, .label = 2}};
  CHECK(matched(anchors, objects, MatchOpts::yhenon()).count(no_object) == static_cast<long>(anchors.size()));
  CHECK(matched(anchors, objects, MatchOpts::torchvision()).count(2) > 0);
}

TEST_CASE("images without objects, and objects that are left out") {
  const Anchors anchors({64, 96});
  const long all = static_cast<long>(anchors.size());
  const Box box{8, 8, 40, 40};
  for (const auto& opts : {MatchOpts::yhenon(), MatchOpts::torchvision()}) {
    CHECK(matched(anchors, {}, opts).count(no_object) == all);
    CHECK(matched(anchors, {{.box = box, .crowd = true}}, opts).count(no_object) == all);
    CHECK(matched(anchors, {{.box = {8, 8, 8, 40}}}, opts).count(no_object) == all);
    CHECK(matched(anchors, {{.box = {40, 40, 8, 8}}}, opts).count(no_object) == all);
    CHECK(matched(anchors, {{.box = {-9000, -90, -5000, -50}}}, opts).count(no_object) == all);
    CHECK(matched(anchors, {{.box = {-1e30f, -1e30f, 1e30f, 1e30f}}}, opts).count(no_object) == all);
  }
  MatchOpts with_crowds;
  with_crowds.crowds = true;
  CHECK(matched(anchors, {{.box = box, .crowd = true}}, with_crowds).count(0) > 0);
  CHECK_FALSE(takes_part({.box = {8, 8, 8.5f, 40}}, MatchOpts::yhenon()));
  CHECK(takes_part({.box = {8, 8, 8.5f, 40}}, MatchOpts::torchvision()));
}

TEST_CASE("a matcher that has seen other images") {
  const Anchors large({200, 300}, AnchorOpts::torchvision()), small({64, 96}, AnchorOpts::torchvision());
  Matcher matcher(MatchOpts::torchvision());
  for (const auto* anchors : {&large, &small, &large}) {
    const auto objects = scene(10, anchors->size(), anchors->image());
    Matched t(anchors->size());
    matcher.match(*anchors, objects, t.classes, t.deltas);
    CHECK(t == matched(*anchors, objects, matcher.opts()));
  }
}

TEST_CASE("input that cannot be matched") {
  const Anchors anchors({64, 64});
  CHECK(has(error_of([&] {
              matched(anchors, {{}, {.box = {0, NAN, 1, 1}}}, {});
            }),
            "object 1 of 2 has the box (0, nan"));
  CHECK(has(error_of([&] { matched(anchors, {{.box = {0, 0, INFINITY, 1}}}, {}); }), "four finite numbers"));
  CHECK(has(error_of([&] { matched(anchors, {{.box = {0, 0, 1, 1}, .label = -1}}, {}); }), "has label -1"));
  Matched t(anchors.size());
  t.deltas.pop_back();
  CHECK(has(error_of([&] { Matcher().match(anchors, {}, t.classes, t.deltas); }), "one class and four deltas each"));
  CHECK(has(error_of([] { Matcher({.low = 0.6f}); }), "low ≤ high"));
  CHECK(has(error_of([] { Matcher({.low = NAN}); }), "low ≤ high"));
}
