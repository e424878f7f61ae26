// The code of docs/data.md. Text between two `// [name]` markers is shown there word for word.
#include "moecnn/data/check_detection.hpp"
#include "moecnn/data/coco.hpp"
#include "moecnn/data/detection_loader.hpp"
#include "moecnn/data/synthetic_boxes.hpp"

#include <doctest/doctest.h>

#include <iostream>

using namespace moecnn;

namespace {

// Folders such as these are on few machines: this is compiled and not run.
[[maybe_unused]] void official_folders() {
  // [read_coco]
  const auto coco = data::coco("coco", "train2017");  // annotations/instances_train2017.json, train2017/*.jpg
  const auto cells = data::coco_json("bccd/annotations/instances_train.json", "bccd/images");
  std::cout << text(data::check_detection(data::coco("coco", "val2017", {.keep_going = true})));
  // [read_coco]
}

}  // namespace

TEST_CASE("a loader of scenes") {
  // [detection_loader]
  const auto scenes = data::synthetic_boxes(16, {.height = 128, .width = 160, .seed = 1});
  const auto recipe = data::DetectionAugment::training(/*side=*/128, /*max_side=*/256);
  data::DetectionLoader batches(scenes, data::DetectionLoaderOpts::training(recipe, {.batch = 4, .seed = 1}));
  const data::DetectionBatch& batch = batches.next();
  const Targets targets = batch.targets();  // "anchor_class" and "anchor_deltas"
  const data::Box in_the_file = batch.places[0].to_file({10, 10, 40, 40});
  // [detection_loader]
  CHECK(batch.count == 4);
  CHECK(targets.find("anchor_deltas"));
  CHECK(in_the_file.width() == doctest::Approx(30));
}
