#include "moecnn/analysis/detect.hpp"

#include "io/scratch.hpp"
#include "moecnn/backend/reference.hpp"
#include "moecnn/data/synthetic_boxes.hpp"
#include "moecnn/io/json.hpp"
#include "moecnn/layer/conv.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using namespace moecnn::analysis;

namespace {

/// A detector of two classes that sees single pixels: five levels, nine anchors.
struct Maps {
  std::vector<int> all;
  std::vector<int> edges() const { return all; }
};
struct Tiny {
  static constexpr int in = 3;
  Maps wire(Recorder& g, Value<3> image) const {
    Maps m;
    m.all.resize(10);
    level<8>(g, image, m, 0), level<16>(g, image, m, 1), level<32>(g, image, m, 2), level<64>(g, image, m, 3),
        level<128>(g, image, m, 4);
    return m;
  }
  template <int stride>
  static void level(Recorder& g, Value<3> image, Maps& m, std::size_t l) {
    const std::string name = "level" + std::to_string(l);
    m.all[l] = g.sigmoid(g(name + "_scores", Conv<3, 18, ConvOpts{.stride = stride, .bias = true}>{}, image)).edge;
    m.all[5 + l] = g(name + "_deltas", Conv<3, 36, ConvOpts{.stride = stride, .bias = true}>{}, image).edge;
  }
};
using TinyModel = Model<Tiny, backend::Reference<float>>;

data::DetectionSet scenes(int n) {
  return data::synthetic_boxes(n, {.height = 96, .width = 128, .classes = 2, .seed = 3});
}

}  // namespace

TEST_CASE("evaluation finds what decoding each picture by itself finds, and counts it as COCO does") {
  const data::DetectionSet set = scenes(5);
  TinyModel model({.n = 2, .h = 96, .w = 128}, {.seed = 7, .task = task::Detect()});
  const data::DetectionAugment augment =
      data::DetectionAugment::test(64, 0);  // smaller than the files: boxes are scaled
  data::DetectionLoader loader(set, {.batch = 2, .augment = augment, .threads = 0});
  const BoxEvaluation e = evaluate_boxes(model, loader, set, {.keep = 3});
  CHECK(e.pictures == 5);
  CHECK(e.left_out == 0);
  CHECK(e.class_loss > 0);
  std::vector<detection::CocoDetection> found;
  HeadMaps maps;
  for (int i = 0; i < set.size(); ++i) {
    const auto input = data::detection_input(set.pixels[static_cast<std::size_t>(i)], augment);
    Program& program = model.inference(Extent{1, input.size.h, input.size.w});
    program.set_images(input.image.data());
    program.forward({.noise_off = true});
    maps.read(program);
    for (const auto& d :
         detection::decode(detection::Anchors(input.size), maps.of(0), input.place.size, {.classes = 2}))
      found.push_back({.image = set.pictures[static_cast<std::size_t>(i)].id,
                       .category = set.category_ids[static_cast<std::size_t>(d.label)],
                       .box = detection::CocoBox::from(input.place.to_file(d.box)),
                       .score = d.score});
  }
  REQUIRE(found.size() > 20);
  REQUIRE(e.detections.size() == found.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    CHECK(e.detections[i].image == found[i].image);
    CHECK(e.detections[i].category == found[i].category);
    CHECK(e.detections[i].score == doctest::Approx(found[i].score).epsilon(1e-5));
    CHECK(e.detections[i].box.x == doctest::Approx(found[i].box.x).epsilon(1e-3));
  }
  REQUIRE(e.kept.size() == 3);
  std::size_t first = 0;
  for (int i = 0; i < 3; ++i) {
    const ServedPicture& kept = e.kept[static_cast<std::size_t>(i)];
    CHECK(kept.picture == i);
    CHECK(kept.weights.empty());  // no mixtures
    REQUIRE(kept.boxes.size() <= e.detections.size() - first);
    for (const auto& d : kept.boxes) {
      CHECK(detection::CocoBox::from(d.box) == e.detections[first++].box);
      CHECK(d.level >= 3);
    }
  }
  const auto truths = data::coco_truths(set);
  CHECK(truths.size() == set.objects.size());
  CHECK(e.metric.stats() ==
        detection::coco_metric(data::picture_ids(set), set.category_ids, truths, e.detections).stats());
  const TestRecord r = e.record();
  CHECK(r.scores.at(0).name == "AP");
  CHECK(r.scores.size() >= 6);
}

TEST_CASE("detections that are the truth have a precision of 1") {
  const data::DetectionSet set = scenes(4);
  std::vector<detection::CocoDetection> found;
  for (const auto& t : data::coco_truths(set)) found.push_back({t.image, t.category, t.box, 0.9});
  const auto m = detection::coco_metric(data::picture_ids(set), set.category_ids, data::coco_truths(set), found);
  CHECK(m.ap() == doctest::Approx(1));
}

TEST_CASE("results are a JSON list as COCO's server reads it") {
  const Scratch dir;
  write_coco_results(
      std::vector<detection::CocoDetection>{{42, 7, {1.5, 2, 30.25, 4}, 0.125}, {43, 1, {0, 0, 1, 1}, 1}},
      dir / "results.json");
  const auto json = io::Json::parse(bytes_of(dir / "results.json"), "results.json");
  REQUIRE(json.size() == 2);
  CHECK(json[std::size_t{0}].dump() == R"({"image_id":42,"category_id":7,"bbox":[1.5,2,30.25,4],"score":0.125})");
  write_coco_results({}, dir / "none.json");
  CHECK(io::Json::parse(bytes_of(dir / "none.json"), "none.json").size() == 0);
}
