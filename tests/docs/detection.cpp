// The code of docs/detection.md. Text between two `// [name]` markers is shown there word for word.
#include <doctest/doctest.h>

#include "moecnn/detection/coco_metric.hpp"
#include "moecnn/detection/decode.hpp"
#include "moecnn/detection/matcher.hpp"

using namespace moecnn;

TEST_CASE("targets of an image") {
  // [detection_targets]
  const detection::Anchors anchors({96, 128});  // of the padded image
  detection::Matcher matcher;                   // keeps memory: one per thread
  const std::vector<detection::Object> objects{{.box = {30, 20, 78, 70}, .label = 2}};
  std::vector<std::int32_t> classes(anchors.size());
  std::vector<float> deltas(4 * anchors.size());
  matcher.match(anchors, objects, classes, deltas);
  // [detection_targets]
  CHECK(std::count(classes.begin(), classes.end(), 2) > 0);
}

TEST_CASE("detections of an image and their metric") {
  const detection::Anchors anchors({96, 128});
  std::vector<float> scores(anchors.size() * 3, 0.01f), deltas(anchors.size() * 4, 0.0f);
  scores[5] = 0.9f;
  std::vector<detection::LevelMaps> maps;
  for (const auto& level : anchors.levels())
    maps.push_back({scores.data() + 3 * level.first, deltas.data() + 4 * level.first});
  // [detection_decode]
  // One pair of maps per level, as the heads' convolutions give them for this image.
  const auto found = detection::decode(anchors, maps, {90, 120}, detection::DecodeOpts::yhenon(/*classes=*/3));
  // [detection_decode]
  REQUIRE(found.size() == 1);
  const std::vector<std::int64_t> images{139, 285}, categories{1, 18, 44};
  const std::vector<detection::CocoTruth> truths{{.image = 139, .category = 1, .box = {0, 0, 20.5, 11}, .area = 180.25},
                                                 {.image = 285, .category = 18, .box = {40, 40, 30, 30}, .area = 700}};
  // [detection_metric]
  std::vector<detection::CocoDetection> results;
  for (const auto& d : found)
    results.push_back({.image = 139,
                       .category = categories[static_cast<std::size_t>(d.label)],
                       .box = detection::CocoBox::from(d.box),
                       .score = d.score});
  const auto result = detection::coco_metric(images, categories, truths, results);
  const auto twelve = result.stats();                               // their names: coco_stat_names
  const double people = result.ap({.iou = 0.5, .category = 0});     // a position in result.categories()
  const double small = result.ap({.area = detection::small_area});  // objects below 32² pixels
  const auto curve = result.precision(/*threshold=*/0, /*category=*/0, detection::any_area, /*limit=*/2);
  // [detection_metric]
  CHECK(twelve[1] == result.ap({.iou = 0.5}));
  CHECK(people >= 0);
  CHECK(small >= 0);
  CHECK(curve.size() == 101);
}
