#include "moecnn/report/expert_map.hpp"

#include <doctest/doctest.h>

#include "pixel_at.hpp"

using namespace moecnn;
using namespace moecnn::report;

namespace {

Image white(int h, int w) {
  return {.width = w,
          .height = h,
          .pixels = std::vector<std::uint8_t>(3 * static_cast<std::size_t>(h) * static_cast<std::size_t>(w), 255)};
}

Matrix weights(int rows, int experts, const std::vector<double>& values) {
  Matrix m(rows, experts);
  std::copy(values.begin(), values.end(), m.flat().begin());
  return m;
}

const ExpertMap plain{.opacity = 1, .numbers = false, .bars = false};

}  // namespace

TEST_CASE("the experts' colours are the page's") {
  CHECK(expert_colour(0) == Rgb{0x2a, 0x4f, 0xae});
  CHECK(expert_colour(9) == Rgb{0x85, 0x75, 0x05});
  CHECK(expert_colour(12)[0] > expert_colour(2)[0]);
  CHECK(expert_colour(22)[0] > expert_colour(12)[0]);
}

TEST_CASE("each patch has the colour of its heaviest expert, by its share") {
  // the second of two images; its map of 4 × 6 is drawn ten times as large
  const Matrix w = weights(8, 3, {1, 0, 0, 1, 0,  0,  1, 0,   0,   1, 0, 0,  //
                                  1, 0, 0, 0, .5, .5, 0, .25, .75, 0, 0, 0});
  const Image image = expert_map(white(40, 60), PatchGrid::of_count({4, 6}, 2), w, 4, plain);
  CHECK(pixel_at(image, 10, 15) == expert_colour(0));
  const auto half = [](Rgb c) {
    return Rgb{std::uint8_t((255 + c[0] + 1) / 2), std::uint8_t((255 + c[1] + 1) / 2),
               std::uint8_t((255 + c[2] + 1) / 2)};
  };
  CHECK(pixel_at(image, 10, 45) == half(expert_colour(1)));
  CHECK(pixel_at(image, 30, 15)[0] == std::lround(255 + .75 * (expert_colour(2)[0] - 255)));
  CHECK(pixel_at(image, 30, 45) == Rgb{255, 255, 255});  // no expert serves it
  CHECK(pixel_at(image, 20, 5)[0] > 200);                // a line between patches
}

TEST_CASE("patches that stick out end with the picture") {
  const Matrix w = weights(2, 2, {1, 0, 0, 1});
  const Image image = expert_map(white(10, 30), PatchGrid::of_size({10, 30}, {10, 20}), w, 0, plain);
  CHECK(pixel_at(image, 5, 10) == expert_colour(0));
  CHECK(pixel_at(image, 9, 29) == expert_colour(1));
}

TEST_CASE("bars divide the lower edge by weight, numbers name the heaviest") {
  const Matrix w = weights(1, 12, {0, .75, 0, 0, 0, 0, 0, 0, 0, 0, 0, .25});
  const Image image = expert_map(white(200, 200), PatchGrid::of_count(10, 1), w);
  CHECK(pixel_at(image, 198, 10) == expert_colour(1));
  CHECK(pixel_at(image, 198, 140) == expert_colour(1));
  CHECK(pixel_at(image, 198, 160) == expert_colour(11));
  int whites = 0;
  for (int y = 0; y < 100; ++y)
    for (int x = 0; x < 100; ++x) whites += pixel_at(image, y, x) == Rgb{255, 255, 255};
  CHECK(whites == 8 * 8 * 8);  // the "1" has 8 dots, each of 8 × 8 pixels
}

TEST_CASE("photos are drawn in light grey, misuse is told") {
  Image red = white(4, 4);
  for (std::size_t i = 0; i < red.pixels.size(); ++i) red.pixels[i] = i % 3 == 0 ? 200 : 0;
  const Matrix none = weights(1, 2, {0, 0});
  CHECK(pixel_at(expert_map(red, PatchGrid::of_count(4, 1), none), 2, 2) == Rgb{125, 125, 125});
  CHECK_THROWS_WITH_AS(expert_map(red, PatchGrid::of_count(4, 2), none), doctest::Contains("there are 1 rows"), Error);
}
