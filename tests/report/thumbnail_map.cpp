#include "moecnn/report/thumbnail_map.hpp"

#include <doctest/doctest.h>

#include "io/scratch.hpp"

using namespace moecnn;
using namespace moecnn::report;

TEST_CASE("pictures stand at their points, later ones over earlier ones, and others are left out") {
  const std::vector<analysis::Point> points{{-1, 0}, {3, 0}, {1, 2}, {3, 0}};
  const auto tile = [](int row) {
    return Image{2, 1, 3, std::vector<std::uint8_t>(6, static_cast<std::uint8_t>(10 * row))};
  };
  const Image map = thumbnail_map(points, std::vector<int>{0, 1, 2, 3}, tile, 10);
  const auto at = [&](int x, int y) { return map.pixels[3 * static_cast<std::size_t>(10 * y + x)]; };
  CHECK(map.width == 10);
  CHECK(at(0, 0) == 0);
  CHECK(at(1, 0) == 0);
  CHECK(at(2, 0) == 255);
  CHECK(at(8, 0) == 30);  // row 3 covers row 1
  CHECK(at(9, 0) == 30);
  CHECK(at(4, 9) == 20);
  CHECK(at(4, 8) == 255);
  // A part of the rows lies where it lay among all.
  const Image part = thumbnail_map(points, std::vector<int>{2}, tile, 10);
  CHECK(part.pixels[3 * (10 * 9 + 4)] == 20);
  CHECK(part.pixels[0] == 255);
  // Points on a line, and one point.
  CHECK(thumbnail_map(std::vector<analysis::Point>{{1, 1}}, std::vector<int>{0}, tile, 10).pixels[3 * 44] == 0);
  CHECK(has(error_of([&] { thumbnail_map(points, std::vector<int>{0}, tile, 1); }), "2 × 1 pixels"));
}
