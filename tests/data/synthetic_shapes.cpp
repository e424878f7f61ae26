#include "moecnn/data/synthetic_shapes.hpp"

#include <doctest/doctest.h>

using namespace moecnn::data;

TEST_CASE("every outline fits into its frame and covers a fair part of it") {
  for (int s = 0; s < 10; ++s)
    for (int v = 0; v < 5; ++v) {
      CAPTURE(s);
      CAPTURE(v);
      int inside = 0;
      for (float y = -2; y <= 2; y += 0.04f)
        for (float x = -2; x <= 2; x += 0.04f) {
          const float d = distance_to(Shape(s), Variant(v), x, y);
          REQUIRE(std::isfinite(d));
          if (d > 0) continue;
          REQUIRE(std::max(std::abs(x), std::abs(y)) < 1.45f);
          ++inside;
        }
      CHECK(inside > 625 * 0.25);  // a unit square has 625 points
    }
}

TEST_CASE("variants change the outline as named") {
  CHECK(distance_to(Shape::disc, Variant::whole, 0, 0) < 0);
  CHECK(distance_to(Shape::disc, Variant::hollow, 0, 0) > 0);
  CHECK(distance_to(Shape::disc, Variant::hollow, 0.85f, 0) < 0);
  CHECK(distance_to(Shape::disc, Variant::twin, 0, 0.3f) > 0);
  CHECK(distance_to(Shape::disc, Variant::twin, 0.62f, 0) < 0);
  CHECK(distance_to(Shape::disc, Variant::twin, -0.62f, 0) < 0);
  CHECK(distance_to(Shape::disc, Variant::slim, 0.6f, 0) > 0);
  CHECK(distance_to(Shape::disc, Variant::slim, 0, 0.9f) < 0);
  CHECK(distance_to(Shape::disc, Variant::cut, 0, 0) > 0);
  CHECK(distance_to(Shape::disc, Variant::cut, 0.5f, 0) < 0);
}

TEST_CASE("a star has five points, up first") {
  int changes = 0;
  bool before = false;
  for (int i = 0; i <= 3600; ++i) {
    const double angle = -1.5707963 + i * 6.283185307 / 3600;
    const bool now =
        distance_to(Shape::star, Variant::whole, 0.75f * float(std::cos(angle)), 0.75f * float(std::sin(angle))) < 0;
    if (i > 0 && now != before) ++changes;
    before = now;
  }
  CHECK(changes == 10);
  CHECK(distance_to(Shape::star, Variant::whole, 0, -0.9f) < 0);
  CHECK(distance_to(Shape::star, Variant::whole, 0, 0.9f) > 0);
}
