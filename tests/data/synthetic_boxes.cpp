#include "moecnn/data/synthetic_boxes.hpp"

#include <doctest/doctest.h>

#include "../io/scratch.hpp"
#include "moecnn/data/check_detection.hpp"

using namespace moecnn;
using data::synthetic_boxes;

TEST_CASE("scenes are the same whatever n is, and others in other splits and seeds") {
  const data::SceneOpts opts{.height = 64, .width = 80};
  const auto few = synthetic_boxes(2, opts), many = synthetic_boxes(4, opts);
  check_consistent(many);
  CHECK(few.pixels[1].pixels == many.pixels[1].pixels);
  CHECK(std::equal(few.objects.begin(), few.objects.end(), many.objects.begin(),
                   [](const auto& a, const auto& b) { return a.box == b.box && a.label == b.label; }));
  CHECK(many.pixels[0].pixels != many.pixels[1].pixels);
  auto other = opts;
  other.split = data::Split::val;
  CHECK(synthetic_boxes(1, other).pixels[0].pixels != few.pixels[0].pixels);
  other = opts, other.seed = 1;
  CHECK(synthetic_boxes(1, other).pixels[0].pixels != few.pixels[0].pixels);
  CHECK(check_detection(many).ok());
}

TEST_CASE("three sizes of every class, some pictures without any") {
  const auto set = synthetic_boxes(30, {.classes = 3});
  CHECK(set.class_names == std::vector<std::string>{"disc", "star", "square"});
  std::array<std::array<int, 3>, 3> counts{};
  int empty = 0;
  for (int i = 0; i < set.size(); ++i) {
    empty += set.objects_of(i).empty();
    for (const auto& b : set.boxes_of(i)) {
      CHECK(b.x >= 1);
      CHECK(b.y >= 1);
      CHECK(b.x + b.w <= 319);
      CHECK(b.y + b.h <= 255);
    }
  }
  for (const auto& o : set.objects) {
    const float side = std::max(o.box.width(), o.box.height());
    const std::size_t size = side < 40 ? 0 : side < 100 ? 1 : 2;
    ++counts[static_cast<std::size_t>(o.label)][size];
    CHECK(o.area > 0.2 * o.box.area());
    CHECK(o.area <= o.box.area());
    if (size == 0) CHECK(o.area < 1024);
  }
  for (const auto& of_class : counts)
    for (const int n : of_class) CHECK(n >= 1);
  CHECK(empty >= 1);
  CHECK(empty < 20);
}

TEST_CASE("a disc fills its box as discs do") {
  const auto set = synthetic_boxes(6, {.classes = 1});
  REQUIRE(set.objects.size() > 5);
  for (const auto& o : set.objects) {
    CHECK(std::abs(o.box.width() - o.box.height()) <= 1);
    CHECK(o.area / o.box.area() == doctest::Approx(0.7854).epsilon(0.06));
  }
}

TEST_CASE("scenes without sense") {
  CHECK(has(error_of([] { synthetic_boxes(0); }), "0 synthetic scenes"));
  CHECK(has(error_of([] { synthetic_boxes(1, {.height = 10}); }), "320 × 10 pixels were asked for"));
  CHECK(has(error_of([] { synthetic_boxes(1, {.classes = 9}); }), "1 to 8 are there"));
}
