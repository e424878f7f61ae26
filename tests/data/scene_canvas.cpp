#include "moecnn/data/scene_canvas.hpp"

#include <doctest/doctest.h>

using namespace moecnn;

TEST_CASE("pixels whose centre is inside are painted, and nothing outside the picture") {
  data::SceneCanvas canvas(10, 20);
  canvas.rectangle(-5, 0.5f, 9, 7, {1, 0, 0}, 1);      // the lower half
  canvas.ellipse(1, 0.5f, 0.3f, 0.3f, {0, 1, 0}, 2);   // around (10, 5)
  canvas.wedge(0.1f, 0, 0, 0.4f, 0.4f, {0, 0, 1}, 3);  // top left
  canvas.ellipse(50, -50, 1, 1, {1, 1, 1}, 9);         // far away
  const auto sample = canvas.finish(data::Draws(Rng(1, Purpose::other), 0));
  const auto at = [&](int y, int x) { return int(sample.labels.values[y * 20 + x]); };
  CHECK(at(9, 0) == 1);
  CHECK(at(5, 19) == 1);
  CHECK(at(4, 19) == 0);
  CHECK(at(5, 10) == 2);
  CHECK(at(3, 10) == 2);
  CHECK(at(1, 10) == 0);
  CHECK(at(5, 12) == 2);
  CHECK(at(5, 13) == 1);
  CHECK(at(3, 0) == 3);
  CHECK(at(3, 3) == 3);
  CHECK(at(3, 5) == 0);
  CHECK(at(0, 3) == 0);
  int count = 0;
  for (std::uint8_t v : sample.labels.values) count += v == 9;
  CHECK(count == 0);
  // Colours follow the labels, up to the grain.
  const auto colour = [&](int c, int y, int x) { return int(sample.image.pixels[c * 200 + y * 20 + x]); };
  CHECK(colour(0, 9, 0) > 235);
  CHECK(colour(1, 9, 0) < 15);
  CHECK(colour(1, 5, 10) > 235);
  CHECK(colour(2, 3, 3) > 235);
  CHECK(colour(0, 0, 19) < 15);
}
