// Training on label maps, with a test of one's own.
#include <doctest/doctest.h>

#include "io/scratch.hpp"
#include "moecnn/analysis/segment.hpp"
#include "moecnn/data/segmentation_loader.hpp"
#include "moecnn/data/synthetic_street.hpp"
#include "train/tiny.hpp"

using namespace moecnn;

namespace {

struct MapNet {
  static constexpr int in = 3;
  Value<3> wire(Recorder& g, Value<3> image) const {
    return g("conv", Conv<3, 3, ConvOpts{.kernel = 3, .pad = 1, .bias = true}>{}, image);
  }
};
using MapModel = Model<MapNet, backend::Reference<float>>;

data::SegmentationLoaderOpts plain(int batch) {
  return {.batch = batch, .shuffle = true, .threads = 0, .broken = data::Broken::replace};
}

}  // namespace

TEST_CASE("a convolution learns to tell sky from road, and the best weights are those of the best test") {
  const auto set = data::synthetic_segmentation(6, 16, 24, 3, 3);
  data::SegmentationLoader batches(set, plain(3));
  MapModel model({3, 16, 24}, {.task = task::Segment()});
  const Scratch out;
  const std::vector<double> scores{0.25, 0.5, 0.5, 0.375};
  std::vector<std::string> bits;
  const TrainOpts opts{.epochs = 4,
                       .optimizer = Adam{},
                       .schedule = schedule::Constant{.rate = 0.05},
                       .out = out.dir(),
                       .keep_best = true,
                       .metadata = {{"network", "maps"}},
                       .test =
                           [&](const StopAsked&) {
                             bits.push_back(bits_of(model.params()));
                             return TestRecord{.images = 6,
                                               .scores = {{"mean_iou", scores.at(bits.size() - 1)}},
                                               .per_class = {1, 1, 1}};
                           },
                       .progress = silent()};
  const TrainResult run = fit(model, batches, opts);
  CHECK(run.epochs.back().accuracy > 0.5);
  CHECK(run.epochs.back().accuracy > run.epochs.front().accuracy);
  CHECK(run.test->mean_iou() == 0.375);
  MapModel best({1, 16, 24}, {.training = false});
  load_weights(best.params(), out / "best.safetensors");
  CHECK((bits_of(best.params()) == bits.at(1)));
  for (const char* file : {"best.safetensors", "last.safetensors"})
    CHECK(weights_metadata(out / file) == WeightsMetadata{{"network", "maps"}});
}

TEST_CASE(
    "images and label maps of another size than the model's are refused, and so is counting one label per image") {
  const auto set = data::synthetic_segmentation(2, 16, 24, 3, 3);
  data::SegmentationLoader batches(set, plain(1));
  MapModel larger({1, 20, 24}, {.task = task::Segment()});
  CHECK(has(error_of([&] { fit(larger, batches, {.progress = silent()}); }), "the model wants 3 × 20 × 24"));
  auto opts = plain(1);
  opts.augment = data::SegmentationAugment::none({20, 24});
  opts.whole_labels = true;
  data::SegmentationLoader whole(set, opts);
  CHECK(has(error_of([&] { fit(larger, whole, {.progress = silent()}); }),
            "the label maps have 16 × 24 pixels, but the network's result 20 × 24"));
  MapModel fits({1, 16, 24});
  CHECK(has(error_of([&] { evaluate(fits, batches); }), "give the model task::Segment"));
}

TEST_CASE("best weights of an older run are in the way of a fresh one, and go where it overwrites") {
  const auto set = data::synthetic_segmentation(1, 16, 24, 3, 3);
  data::SegmentationLoader batches(set, plain(1));
  MapModel model({1, 16, 24}, {.task = task::Segment()});
  const Scratch out;
  put_bytes(out / "best.safetensors", "of another run");
  const auto text = error_of([&] { fit(model, batches, {.out = out.dir(), .progress = silent()}); });
  INFO(text);
  CHECK(has(text, "holds best.safetensors of a run without a checkpoint"));
  CHECK(bytes_of(out / "best.safetensors") == "of another run");
  fit(model, batches, {.out = out.dir(), .start = Start::overwrite, .progress = silent()});
  CHECK_FALSE(std::filesystem::exists(out / "best.safetensors"));
}

TEST_CASE("labels beyond the classes are refused, those to ignore are not") {
  auto set = data::synthetic_segmentation(1, 16, 24, 3, 4);
  data::SegmentationLoader batches(set, plain(1));
  MapModel model({1, 16, 24}, {.task = task::Segment()});
  CHECK(has(error_of([&] { fit(model, batches, {.progress = silent()}); }),
            "has label 3, but the network has 3 classes"));
}

TEST_CASE("files that cannot be read are warnings of the run") {
  const Scratch out;
  auto set = data::synthetic_segmentation(200, 8, 8, 3, 3);
  set.samples[7].labels.h = 5;
  data::SegmentationLoader batches(set, plain(20));
  MapModel model({20, 8, 8}, {.task = task::Segment()});
  const TrainResult run = fit(model, batches, {.epochs = 2, .out = out.dir(), .progress = silent()});
  REQUIRE(run.warnings.size() == 1);
  CHECK(has(run.warnings[0], "replaced by another: scene 7"));
  CHECK(has(bytes_of(out / "metrics.jsonl"), "replaced by another: scene 7"));
}
