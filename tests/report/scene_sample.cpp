#include "moecnn/report/scene_sample.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using namespace moecnn::report;

namespace {

const std::vector<Rgb> palette{{10, 20, 30}, {200, 100, 0}};

}  // namespace

TEST_CASE("image, truth, prediction and experts side by side") {
  const data::RgbImage photo{4, 8, std::vector<std::uint8_t>(96, 100)};
  const data::LabelMap truth{2, 2, {0, 0, 1, 255}}, guess{2, 2, {0, 1, 1, 1}};
  SceneSample s = scene_sample("a street", photo, truth, guess, palette, 4);
  REQUIRE(s.panels.size() == 3);
  for (const ScenePanel& p : s.panels) CHECK((p.picture.height == 2 && p.picture.width == 4));
  CHECK(s.panels[1].title == "ground truth");
  CHECK(s.panels[1].picture.pixels[0] == 10);
  CHECK(s.panels[2].picture.pixels[9] == 200);
  CHECK(s.note == "mIoU 50.0\u202F%, pixel accuracy 66.7\u202F%");  // both classes: 1 right of 2
  Matrix weights(2, 2);
  weights.fill(0.5);
  add_expert_map(s, "experts", PatchGrid::of_count({2, 4}, {1, 2}), weights);
  CHECK(s.panels[3].title == "experts");
  const Image row = strip(s, 1);
  CHECK(row.width == 4 * 4 + 3);
  CHECK(row.height == 2);
}

TEST_CASE("without truth, and with maps of other sizes") {
  const data::RgbImage photo{4, 8, std::vector<std::uint8_t>(96, 100)};
  const data::LabelMap guess{2, 4, std::vector<std::uint8_t>(8, 1)};
  const SceneSample alone = scene_sample("x", photo, {}, guess, palette);
  CHECK(alone.panels.size() == 2);
  CHECK(alone.note == "");
  const SceneSample other = scene_sample("x", photo, {4, 8, std::vector<std::uint8_t>(32, 0)}, guess, palette);
  CHECK(other.panels.size() == 3);
  CHECK(other.note == "");
  SceneSample empty{.name = "nothing"};
  CHECK_THROWS_WITH_AS(add_expert_map(empty, "experts", {}, Matrix(1, 1)), doctest::Contains("no picture"), Error);
}
