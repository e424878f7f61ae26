#include "moecnn/data/segmentation_loader.hpp"

#include <doctest/doctest.h>

#include <set>

#include "../io/scratch.hpp"
#include "batch_copy.hpp"
#include "moecnn/data/camvid.hpp"
#include "moecnn/data/synthetic_street.hpp"
#include "moecnn/train/batches.hpp"
#include "pictures.hpp"
#include "real_data.hpp"

using namespace moecnn;
using data::Position;
using data::SegmentationAugment;
using data::SegmentationLoader;
using data::SegmentationLoaderOpts;

static_assert(BatchSource<SegmentationLoader>);

namespace {

BatchCopy next_copy(SegmentationLoader& loader) {
  const auto& b = loader.next();
  return copy_of(b, std::size_t(3) * b.size.h * b.size.w, std::size_t(b.label_size.h) * b.label_size.w);
}

std::vector<BatchCopy> copies(const data::SegmentationSet& set, SegmentationLoaderOpts opts, int batches,
                              Position from = {}) {
  SegmentationLoader loader(set, opts);
  loader.seek(from);
  std::vector<BatchCopy> all;
  for (int i = 0; i < batches; ++i) all.push_back(next_copy(loader));
  return all;
}

/// n pairs of 8 × 6 pixels on disk; everything of pair i is i, modulo 5 in the labels.
data::SegmentationSet on_disk(const Scratch& dir, int n) {
  data::SegmentationSet set{.name = "files",
                            .class_names = std::vector<std::string>(5, "c"),
                            .palette = std::vector<data::Rgb>(5),
                            .train_ids = data::plain_train_ids(5)};
  for (int i = 0; i < n; ++i) {
    const auto name = std::to_string(i);
    put_bytes(dir / (name + ".png"), pictures::png(8, 6, std::vector<std::uint8_t>(144, std::uint8_t(i))));
    put_bytes(dir / (name + "_l.png"), pictures::label_png(8, 6, std::vector<std::uint8_t>(48, std::uint8_t(i % 5))));
    set.pairs.push_back({dir / (name + ".png"), dir / (name + "_l.png"), name});
  }
  return set;
}

/// Pixels are the bytes themselves.
SegmentationAugment raw() {
  SegmentationAugment a = SegmentationAugment::none();
  a.mean = {0, 0, 0}, a.std = {1 / 255.0f, 1 / 255.0f, 1 / 255.0f};
  return a;
}

}  // namespace

TEST_CASE("an epoch holds every pair once, with its own labels") {
  Scratch dir;
  const auto set = on_disk(dir, 25);
  for (int threads : {0, 2}) {
    SegmentationLoader loader(
        set, {.batch = 4, .shuffle = true, .augment = raw(), .seed = 3, .threads = threads, .epochs = 2});
    CHECK(loader.batches_per_epoch() == 7);
    CHECK(loader.images_per_epoch() == 25);
    CHECK(loader.size() == Size2(8, 6));
    std::vector<std::vector<int>> orders;
    for (int epoch = 0; epoch < 2; ++epoch) {
      std::vector<int> order;
      for (int b = 0; b < 7; ++b) {
        CHECK(loader.position() == Position{epoch, b});
        const auto& batch = loader.next();
        REQUIRE(batch.count == (b == 6 ? 1 : 4));
        CHECK(batch.last_of_epoch == (b == 6));
        CHECK(reinterpret_cast<std::uintptr_t>(batch.images) % 64 == 0);
        for (int i = 0; i < batch.count; ++i) {
          const int index = batch.indices[i];
          order.push_back(index);
          for (int p = 0; p < 48; ++p) REQUIRE(batch.labels[i * 48 + p] == index % 5);
          for (int p = 0; p < 144; ++p) REQUIRE(batch.images[i * 144 + p] == doctest::Approx(index));
        }
      }
      CHECK(std::set(order.begin(), order.end()).size() == 25);
      orders.push_back(order);
    }
    CHECK(orders[0] != orders[1]);
    CHECK(loader.next().count == 0);
  }
}

TEST_CASE("threads, prefetch, cache and the place of resuming change nothing") {
  const auto set = data::synthetic_segmentation(11, 24, 40, 1);
  const auto plain = SegmentationLoaderOpts::training({16, 20}, {.batch = 3, .seed = 9, .threads = 0});
  const auto expected = copies(set, plain, 12);
  for (int threads : {1, 3})
    for (int prefetch : {1, 6}) {
      auto opts = plain;
      opts.threads = threads, opts.prefetch = prefetch;
      CHECK(copies(set, opts, 12) == expected);
      for (int start : {1, 5}) {
        const auto rest = copies(set, opts, 3, {start / 4, start % 4});
        CHECK(std::equal(rest.begin(), rest.end(), expected.begin() + start));
      }
    }
  CHECK(expected[0].images != expected[4].images);  // every epoch augments anew
  auto other = plain;
  other.seed = 10;
  CHECK(copies(set, other, 12) != expected);

  Scratch dir;
  const auto files = on_disk(dir, 9);
  for (std::size_t bytes : {0, 500, 1 << 20}) {
    SegmentationLoaderOpts opts{.batch = 2, .shuffle = true, .augment = raw(), .threads = 2, .cache_bytes = bytes};
    auto without = opts;
    without.cache_bytes = 0, without.threads = 0;
    CHECK(copies(files, opts, 10) == copies(files, without, 10));
  }
}

TEST_CASE("equal pictures are cut differently, whatever batch they are in") {
  auto set = data::synthetic_segmentation(6, 24, 40, 1);
  for (auto& sample : set.samples) sample = set.samples[0];
  std::set<std::vector<float>> different;
  for (const BatchCopy& c : copies(set, SegmentationLoaderOpts::training(16, {.batch = 2}), 6))
    for (int i = 0; i < 2; ++i) different.emplace(c.images.begin() + i * 768, c.images.begin() + (i + 1) * 768);
  CHECK(different.size() == 12);
}

TEST_CASE("a cached set is read once") {
  Scratch dir;
  const auto set = on_disk(dir, 6);
  SegmentationLoader loader(set, {.batch = 6, .augment = raw(), .threads = 0});
  loader.next();
  for (const auto& pair : set.pairs) std::filesystem::remove(pair.image);
  CHECK(loader.next().count == 6);
  CHECK(loader.broken().times() == 0);
}

TEST_CASE("a loader that was not asked for anything changes nothing") {
  const auto set = data::synthetic_segmentation(5, 24, 40, 1);
  const SegmentationAugment norm;
  SegmentationLoader loader(set, {.batch = 5});
  const auto& batch = loader.next();
  for (int i = 0; i < 5; ++i) {
    REQUIRE(batch.indices[i] == i);
    for (int p = 0; p < 24 * 40; ++p) REQUIRE(batch.labels[i * 24 * 40 + p] == set.samples[i].labels.values[p]);
    for (int p = 0; p < 3 * 24 * 40; ++p)
      REQUIRE(batch.images[i * 3 * 24 * 40 + p] ==
              doctest::Approx((set.samples[i].image.pixels[p] / 255.0f - norm.mean[p / 960]) / norm.std[p / 960]));
  }
}

TEST_CASE("the preset for training shuffles, augments and replaces, and keeps the rest") {
  const auto opts = SegmentationLoaderOpts::training(16, {.batch = 3, .seed = 7, .cache_bytes = 99});
  CHECK(opts.shuffle);
  CHECK(opts.augment.crop == Size2(16));
  CHECK(opts.augment.scales());
  CHECK(opts.augment.flip == 0.5f);
  CHECK(opts.augment.brightness == 0.3f);
  CHECK(opts.broken == data::Broken::replace);
  CHECK(opts.batch == 3);
  CHECK(opts.seed == 7);
  CHECK(opts.cache_bytes == 99);
}

TEST_CASE("for evaluation labels may keep their size") {
  const auto set = data::synthetic_segmentation(3, 24, 40, 1);
  SegmentationLoader loader(set, {.batch = 2, .augment = SegmentationAugment::none({12, 20}), .whole_labels = true});
  const auto& batch = loader.next();
  CHECK(batch.size == Size2(12, 20));
  CHECK(batch.label_size == Size2(24, 40));
  for (int i = 0; i < 24 * 40; ++i) REQUIRE(batch.labels[24 * 40 + i] == set.samples[1].labels.values[i]);
  CHECK(has(error_of([&] { SegmentationLoader l(set, {.augment = {.crop = 8}, .whole_labels = true}); }),
            "neither cropped nor scaled nor flipped"));
}

TEST_CASE("pictures of several sizes need a crop or a size") {
  auto set = data::synthetic_segmentation(2, 24, 40, 1);
  set.samples[1] = data::synthetic_segmentation(1, 30, 40, 1).samples[0];
  SegmentationLoader whole(set, {.batch = 1, .augment = SegmentationAugment::none()});
  CHECK(whole.next().count == 1);
  CHECK(has(error_of([&] { whole.next(); }), "pictures of 40 × 24 and of 40 × 30 pixels (scene 1)"));
  for (const auto& augment : {SegmentationAugment{.crop = 16}, SegmentationAugment::none({10, 12})})
    CHECK(copies(set, {.batch = 2, .augment = augment}, 3).size() == 3);
}

TEST_CASE("broken samples are replaced, always by the same ones, and remembered") {
  Scratch dir;
  const auto set = on_disk(dir, 40);
  put_bytes(set.pairs[7].image, bytes_of(set.pairs[7].image).substr(0, 60));
  std::filesystem::remove(set.pairs[30].labels);
  std::vector<BatchCopy> first;
  for (int threads : {0, 1, 3}) {
    SegmentationLoaderOpts opts{.batch = 4,
                                .shuffle = true,
                                .augment = raw(),
                                .seed = 2,
                                .threads = threads,
                                .broken = data::Broken::replace,
                                .most_broken = 0.05};
    SegmentationLoader loader(set, opts);
    std::vector<BatchCopy> all;
    for (int i = 0; i < 30; ++i) all.push_back(next_copy(loader));
    for (const BatchCopy& c : all)
      for (std::size_t i = 0; i < c.indices.size(); ++i) {
        REQUIRE(c.indices[i] != 7);
        REQUIRE(c.indices[i] != 30);
        REQUIRE(c.images[i * 144] == doctest::Approx(c.indices[i]));
        REQUIRE(c.labels[i * 48] == c.indices[i] % 5);
      }
    if (threads == 0) first = all;
    CHECK(all == first);
    CHECK(copies(set, opts, 5, {1, 5}) == std::vector(first.begin() + 15, first.begin() + 20));
    CHECK(loader.broken().times() >= 6);  // twice in each of three epochs
    CHECK(loader.broken().times() <= 8);  // the replacement may be broken, too
    CHECK(has(loader.warnings().at(0), "replaced by another: "));
    REQUIRE(loader.broken().all().size() == 2);
    CHECK(has(loader.broken().all().at(7), "7.png cannot be decoded as PNG"));
    CHECK(has(loader.broken().all().at(30), "30_l.png is not there"));
  }
}

TEST_CASE("broken samples are left out: in the middle, at the end of a batch, all of a batch, at the end of an epoch") {
  Scratch dir;
  const auto set = on_disk(dir, 15);
  for (int i : {1, 4, 6, 7, 8, 12, 13, 14}) put_bytes(set.pairs[i].image, "nothing");
  for (int threads : {0, 1, 3}) {
    SegmentationLoader loader(set, {.batch = 3, .augment = raw(), .threads = threads, .most_broken = 1});
    for (int epoch = 0; epoch < 2; ++epoch) {
      const std::vector<std::vector<int>> expected{{0, 2}, {3, 5}, {9, 10, 11}, {}};  // {6, 7, 8} does not come
      for (const std::vector<int>& indices : expected) {
        const auto& batch = loader.next();
        REQUIRE(std::vector<int>(batch.indices, batch.indices + batch.count) == indices);
        CHECK(batch.position.epoch == epoch);
        CHECK(batch.last_of_epoch == indices.empty());
        for (int b = 0; b < batch.count; ++b)
          for (int p = 0; p < 144; ++p) {
            REQUIRE(batch.images[b * 144 + p] == doctest::Approx(indices[b]));
            REQUIRE(batch.labels[b * 48 + p / 3] == indices[b] % 5);
          }
      }
    }
    CHECK(loader.broken().all().size() == 8);
    CHECK(loader.broken().times() == 16);
    CHECK(has(loader.warnings().at(0), "left out: " + set.pairs[1].image.string()));
    loader.seek({0, 2});  // to the batch of which nothing is left
    CHECK(loader.next().indices[0] == 9);
  }
}

TEST_CASE("more than one in a hundred stops the run, at the same batch with any number of threads") {
  Scratch dir;
  const auto set = on_disk(dir, 120);
  for (int i : {5, 60}) put_bytes(set.pairs[i].image, "nothing");
  int stopped_at = -1;
  for (int threads : {0, 1, 4}) {
    SegmentationLoader loader(set, {.batch = 2, .shuffle = true, .augment = raw(), .seed = 4, .threads = threads});
    int batches = 0;
    std::string error;
    while (error.empty() && batches < 100) {
      error = error_of([&] { loader.next(); });
      ++batches;
    }
    CHECK(has(error, "2 of 120 samples cannot be read, more than the 1 %"));
    CHECK(has(error, "5.png is neither PNG nor JPEG"));
    CHECK(has(error, "60.png is neither"));
    if (stopped_at < 0) stopped_at = batches;
    CHECK(batches == stopped_at);
    CHECK(error_of([&] { loader.next(); }) == error);
    loader.seek({0, 0});
    CHECK_NOTHROW(loader.next());
  }
  SegmentationLoader strict(set, {.batch = 120, .augment = raw(), .most_broken = 0});
  CHECK(error_of([&] { strict.next(); }) != "");
}

TEST_CASE("a set of nothing but broken files gives up") {
  Scratch dir;
  auto set = on_disk(dir, 3);
  for (const auto& pair : set.pairs) std::filesystem::remove(pair.image);
  CHECK(has(error_of([&] { SegmentationLoader l(set, {.augment = raw()}); }),
            "none of the first 3 samples of 'files' can be read; the last: "));
  SegmentationLoader late(set, {.augment = {.crop = 4}, .broken = data::Broken::replace, .most_broken = 1});
  CHECK(has(error_of([&] { late.next(); }), "20 samples of 'files' in a row"));
}

TEST_CASE("nonsense is refused with words") {
  const auto set = data::synthetic_segmentation(3, 8, 8, 1);
  const auto error = [&](SegmentationLoaderOpts opts) { return error_of([&] { SegmentationLoader l(set, opts); }); };
  const auto none = SegmentationAugment::none();
  CHECK(has(error({.batch = 0, .augment = none}), "batch size is 0"));
  CHECK(has(error({.batch = 4, .augment = none, .drop_last = true}), "larger than 'synthetic streets train' with 3"));
  CHECK(has(error({.augment = none, .threads = -1}), "threads is -1"));
  CHECK(has(error({.augment = none, .prefetch = 0}), "prefetch is 0"));
  CHECK(has(error({.augment = {.min_scale = 0.5f}}), "so they need the size of a crop"));
  CHECK(has(error({.augment = none, .most_broken = 2}), "is 2; it must lie in 0 to 1"));
}

TEST_CASE("CamVid comes in crops") {
  const auto dir = real_data("camvid");
  if (!dir) return;
  const auto set = data::camvid(*dir, data::Split::val);
  SegmentationLoader loader(set, SegmentationLoaderOpts::training({256, 320}, {.batch = 4, .threads = 2}));
  double sum = 0;
  std::vector<long long> count(256);
  for (int i = 0; i < 6; ++i) {
    const auto& batch = loader.next();
    for (int p = 0; p < 4 * 3 * 256 * 320; ++p) sum += batch.images[p];
    for (int p = 0; p < 4 * 256 * 320; ++p) ++count[batch.labels[p]];
  }
  CHECK(std::abs(sum / (6 * 4 * 3 * 256 * 320)) < 1);
  for (int c = 11; c < 255; ++c) CHECK(count[c] == 0);
  CHECK(count[3] > 100000);
  CHECK(loader.broken().times() == 0);
}
