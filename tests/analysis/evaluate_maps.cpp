#include "moecnn/analysis/evaluate_maps.hpp"

#include <doctest/doctest.h>

#include "../data/pictures.hpp"
#include "../io/scratch.hpp"
#include "moecnn/backend/default.hpp"
#include "moecnn/backend/reference.hpp"
#include "moecnn/data/synthetic_street.hpp"
#include "moecnn/model/any_net.hpp"
#include "moecnn/moe/patch_moe.hpp"

using namespace moecnn;

namespace {

/// A mixture over patches and a classifier of pixels; 10 classes.
struct MapNet {
  static constexpr int in = 3, out = 10;
  Value<10> wire(Recorder& g, Value<3> image) const {
    using Mix = PatchConvMoE<3, 6, ConvOpts{.kernel = 3, .pad = 1}, 4>;
    return g("fc", Conv<6, 10, ConvOpts{.bias = true}>{}, g("mix", Mix{.patches = {.grid = 2}}, image));
  }
};
using TestModel = Model<AnyNet, backend::Reference<float>>;

data::SegmentationLoaderOpts whole(int batch, Size2 size = 0) {
  return {.batch = batch, .augment = data::SegmentationAugment::none(size), .whole_labels = true, .threads = 0};
}

}  // namespace

TEST_CASE("figures are those of the logits, whatever the batch size, also where results are resized") {
  const auto set = data::synthetic_segmentation(5, 16, 24, 1);
  TestModel model({2, 8, 8}, {.task = task::Segment()}, MapNet{});
  for (const Size2 size : {Size2(0), Size2(12, 12)}) {
    data::SegmentationLoader pairs(set, whole(2, size)), single(set, whole(1, size));
    int seen = 0;
    long long right = 0, labelled = 0;
    const auto e = analysis::evaluate_maps(model, pairs, {.on_batch = [&](const analysis::EvaluatedMaps& b) {
                                             CHECK(b.first == seen);
                                             CHECK(b.label_size == Size2(16, 24));
                                             for (int i = 0; i < b.count * 16 * 24; ++i)
                                               if (b.labels[i] != data::ignore_label)
                                                 ++labelled, right += b.labels[i] == b.predicted[i];
                                             seen += b.count;
                                           }});
    CHECK(seen == 5);
    CHECK(e.images == 5);
    CHECK(e.confusion.pixel_accuracy() == static_cast<double>(right) / static_cast<double>(labelled));
    REQUIRE(e.routing.size() == 1);
    CHECK(e.routing[0].stats().rows() == 5 * 4);
    const auto other = analysis::evaluate_maps(model, single);
    CHECK(other.confusion.mean_iou() == doctest::Approx(e.confusion.mean_iou()));
    CHECK(other.loss == doctest::Approx(e.loss).epsilon(1e-5));
    const TestRecord r = e.record();
    CHECK(r.of_maps());
    CHECK(r.score() == e.confusion.mean_iou());
    CHECK(r.per_class.size() == 10);
  }
}

namespace {

/// The same with a second mixture of two experts.
struct TwoMixtures {
  static constexpr int in = 3, out = 10;
  Value<10> wire(Recorder& g, Value<3> image) const {
    using Mix = PatchConvMoE<3, 6, ConvOpts{.kernel = 3, .pad = 1}, 4>;
    using Last = PatchConvMoE<6, 10, ConvOpts{}, 2>;
    return g("last", Last{.patches = {.grid = 2}}, g("mix", Mix{.patches = {.grid = 2}}, image));
  }
};

}  // namespace

TEST_CASE("equal weights serve mixtures of different sizes") {
  const auto set = data::synthetic_segmentation(2, 16, 24, 1);
  TestModel model({2, 16, 24}, {.training = false}, TwoMixtures{});
  data::SegmentationLoader pairs(set, whole(2));
  const auto e = analysis::evaluate_maps(model, pairs, {.equal_weights = true});
  for (double share : e.routing[0].stats().importance_share()) CHECK(share == doctest::Approx(0.25));
  for (double share : e.routing[1].stats().importance_share()) CHECK(share == doctest::Approx(0.5));
}

TEST_CASE("other k, one expert alone, all experts equally") {
  const auto set = data::synthetic_segmentation(2, 16, 24, 1);
  TestModel model({2, 16, 24}, {.training = false}, MapNet{});
  data::SegmentationLoader pairs(set, whole(2));
  CHECK(analysis::evaluate_maps(model, pairs, {.k = 1}).routing[0].stats().k() == 1);
  CHECK(analysis::evaluate_maps(model, pairs, {.fixed_expert = 1}).routing[0].stats().load_share() ==
        std::vector{0.0, 1.0, 0.0, 0.0});
  for (double share :
       analysis::evaluate_maps(model, pairs, {.equal_weights = true}).routing[0].stats().importance_share())
    CHECK(share == doctest::Approx(0.25));
}

namespace {

/// The same set, with its pictures on disk.
data::SegmentationSet stored(const data::SegmentationSet& set, const Scratch& dir) {
  data::SegmentationSet files = set;
  files.samples.clear();
  files.train_ids = data::plain_train_ids(set.classes());
  for (int i = 0; i < set.size(); ++i) {
    const auto& [image, labels] = set.samples[i];
    std::vector<std::uint8_t> rows;
    for (std::size_t p = 0; p < image.plane(); ++p)
      for (int c = 0; c < 3; ++c) rows.push_back(image.pixels[c * image.plane() + p]);
    files.pairs[i].image = dir / (std::to_string(i) + ".png");
    files.pairs[i].labels = dir / (std::to_string(i) + "_l.png");
    put_bytes(files.pairs[i].image, pictures::png(image.h, image.w, rows));
    put_bytes(files.pairs[i].labels, pictures::label_png(labels.h, labels.w, labels.values));
  }
  return files;
}

}  // namespace

TEST_CASE("images that cannot be read count nowhere: figures are those of the set without them") {
  const auto set = data::synthetic_segmentation(9, 16, 24, 1);
  TestModel model({2, 16, 24}, {.task = task::Segment(), .training = false}, MapNet{});
  for (const std::vector<int>& broken : {std::vector{2}, {3}, {4, 5}, {0, 1}, {8}, {1, 4, 5, 8}}) {
    const Scratch dir;
    const auto files = stored(set, dir);
    data::SegmentationSet others = set;
    for (auto i = broken.rbegin(); i != broken.rend(); ++i) {
      put_bytes(files.pairs[*i].image, bytes_of(files.pairs[*i].image).substr(0, 80));
      others.samples.erase(others.samples.begin() + *i), others.pairs.erase(others.pairs.begin() + *i);
    }
    auto opts = whole(2);
    opts.most_broken = 1;
    data::SegmentationLoader with(files, opts), without(others, whole(2));
    std::vector<int> indices;
    std::vector<std::uint8_t> predicted, expected;
    const auto e =
        analysis::evaluate_maps(model, with, {.on_batch = [&](const analysis::EvaluatedMaps& b) {
                                  CHECK(b.first == static_cast<int>(indices.size()));
                                  indices.insert(indices.end(), b.indices, b.indices + b.count);
                                  predicted.insert(predicted.end(), b.predicted, b.predicted + b.count * 16 * 24);
                                }});
    const auto right =
        analysis::evaluate_maps(model, without, {.on_batch = [&](const analysis::EvaluatedMaps& b) {
                                  expected.insert(expected.end(), b.predicted, b.predicted + b.count * 16 * 24);
                                }});
    CHECK(e.images == 9 - static_cast<int>(broken.size()));
    CHECK(e.left_out == static_cast<int>(broken.size()));
    CHECK(right.left_out == 0);
    for (int i : broken) CHECK(std::find(indices.begin(), indices.end(), i) == indices.end());
    CHECK((predicted == expected));
    CHECK(e.confusion.mean_iou() == right.confusion.mean_iou());
    CHECK(e.confusion.pixels() == right.confusion.pixels());
    CHECK(e.loss == doctest::Approx(right.loss));
    CHECK(e.routing[0].stats().rows() == right.routing[0].stats().rows());
    CHECK(e.routing[0].nre() == doctest::Approx(right.routing[0].nre()));
    CHECK(e.routing[0].tec() == doctest::Approx(right.routing[0].tec()));
    CHECK(e.record().score() == right.record().score());
  }
}
