#include "moecnn/data/loader.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <set>
#include <vector>

#include "../io/scratch.hpp"
#include "batch_copy.hpp"

using namespace moecnn;
using data::AugmentOpts;
using data::Loader;
using data::LoaderOpts;
using data::Position;

namespace {

/// Image i is filled with the byte i; its label is i mod 10.
data::ImageSet numbered(int n, int side = 4) {
  data::ImageSet set;
  set.n = n, set.h = set.w = side;
  set.name = "numbered";
  for (int i = 0; i < n; ++i) {
    set.pixels.insert(set.pixels.end(), set.image_bytes(), static_cast<std::uint8_t>(i));
    set.labels.push_back(i % 10);
  }
  set.class_names.assign(10, "digit");
  return set;
}

BatchCopy next_copy(Loader& loader, const data::ImageSet& set) { return copy_of(loader.next(), set.image_bytes(), 1); }

std::vector<BatchCopy> copies(const data::ImageSet& set, LoaderOpts opts, int batches, Position from = {}) {
  Loader loader(set, opts);
  loader.seek(from);
  std::vector<BatchCopy> all;
  for (int i = 0; i < batches; ++i) all.push_back(next_copy(loader, set));
  return all;
}

}  // namespace

TEST_CASE("an epoch holds every image once, with its own label and pixels") {
  const auto set = numbered(50);
  AugmentOpts raw = AugmentOpts::none();
  raw.mean = {0, 0, 0}, raw.std = {1, 1, 1};
  Loader loader(set, {.batch = 8, .shuffle = true, .augment = raw, .seed = 3, .threads = 2, .prefetch = 2});
  CHECK(loader.batches_per_epoch() == 7);
  CHECK(loader.images_per_epoch() == 50);
  std::vector<int> first;
  for (int epoch = 0; epoch < 3; ++epoch) {
    std::vector<int> order;
    for (int b = 0; b < 7; ++b) {
      const data::Batch& batch = loader.next();
      CHECK(batch.count == (b == 6 ? 2 : 8));
      CHECK(batch.position == Position{epoch, b});
      CHECK(batch.last_of_epoch == (b == 6));
      CHECK(reinterpret_cast<std::uintptr_t>(batch.images) % 64 == 0);
      for (int i = 0; i < batch.count; ++i) {
        const int index = batch.indices[i];
        order.push_back(index);
        REQUIRE(batch.labels[i] == index % 10);
        for (int p = 0; p < 48; ++p) REQUIRE(batch.images[i * 48 + p] == static_cast<float>(index) / 255.0f);
      }
    }
    CHECK(std::set(order.begin(), order.end()).size() == 50);
    if (epoch == 0) first = order;
    if (epoch > 0) CHECK(order != first);
  }
}

TEST_CASE("a loader that was not asked to shuffle and augment does neither") {
  const auto set = numbered(10, 8);
  const auto all = copies(set, {.batch = 4, .threads = 2}, 4);
  const AugmentOpts norm = AugmentOpts::none();
  for (int i = 0; i < 4; ++i)
    for (int p = 0; p < 192; ++p)
      REQUIRE(all[0].images[i * 192 + p] == (static_cast<float>(i) / 255.0f - norm.mean[p / 64]) / norm.std[p / 64]);
  CHECK(all[0].indices == std::vector{0, 1, 2, 3});
  CHECK(all[2].indices == std::vector{8, 9});
  CHECK(all[3].indices == std::vector{0, 1, 2, 3});
}

TEST_CASE("every epoch augments anew, as augment() does it") {
  const auto set = numbered(4, 8);
  const LoaderOpts opts{.batch = 4, .augment = AugmentOpts::cifar(), .seed = 6};
  const auto all = copies(set, opts, 3);
  CHECK(all[0].images != all[1].images);
  CHECK(all[1].images != all[2].images);
  std::vector<float> third(set.image_bytes());
  data::augment(set.image(3), third.data(), opts.augment, Rng(6, Purpose::augment, 2), 3, 8, 8);
  CHECK(std::equal(third.begin(), third.end(), all[2].images.begin() + 3 * set.image_bytes()));
}

TEST_CASE("the preset for training shuffles and augments, and keeps the rest") {
  const auto set = numbered(40, 8);
  const auto opts = LoaderOpts::training({.batch = 40, .seed = 3});
  CHECK(opts.seed == 3);
  const auto all = copies(set, opts, 2);
  CHECK(all[0].indices != all[1].indices);
  const auto by_hand = copies(set, {.batch = 40, .shuffle = true, .augment = AugmentOpts::cifar(), .seed = 3}, 2);
  CHECK(all == by_hand);
}

TEST_CASE("an incomplete last batch can be dropped") {
  const auto set = numbered(10);
  const auto all = copies(set, {.batch = 4, .drop_last = true}, 3);
  CHECK(all[1].last);
  CHECK(all[2].indices == std::vector{0, 1, 2, 3});
  CHECK(all[2].position == Position{1, 0});
}

TEST_CASE("the number of threads and of prepared batches changes nothing") {
  const auto set = numbered(45, 8);
  const auto expected = copies(set, LoaderOpts::training({.batch = 7, .seed = 11, .threads = 0}), 20);
  for (int threads : {1, 2, 4})
    for (int prefetch : {1, 3, 16})
      CHECK(copies(set, LoaderOpts::training({.batch = 7, .seed = 11, .threads = threads, .prefetch = prefetch}), 20) ==
            expected);
  CHECK(copies(set, LoaderOpts::training({.batch = 7, .seed = 12, .threads = 2}), 20) != expected);
}

TEST_CASE("an epoch shorter than the ring of buffers works") {
  const auto set = numbered(3);
  const auto expected = copies(set, LoaderOpts::training({.batch = 8, .seed = 1, .threads = 0}), 30);
  CHECK(copies(set, LoaderOpts::training({.batch = 8, .seed = 1, .threads = 3, .prefetch = 9}), 30) == expected);
  CHECK(expected[29].position == Position{29, 0});
}

TEST_CASE("going on from any place continues the sequence exactly") {
  const auto set = numbered(23);
  for (int threads : {0, 2}) {
    const auto opts = LoaderOpts::training({.batch = 5, .seed = 4, .threads = threads});
    const auto all = copies(set, opts, 15);
    for (int start = 0; start < 12; ++start) {
      const auto rest = copies(set, opts, 3, {start / 5, start % 5});
      CHECK(std::equal(rest.begin(), rest.end(), all.begin() + start));
    }
    Loader loader(set, opts);
    for (int i = 0; i < 8; ++i) {
      CHECK(loader.position() == Position{i / 5, i % 5});
      loader.next();
    }
    const Position here = loader.position();
    CHECK(here == Position{1, 3});
    loader.seek({0, 1});  // back, and forth again, in the middle of everything
    CHECK(next_copy(loader, set) == all[1]);
    loader.seek(here);
    CHECK(next_copy(loader, set) == all[8]);
  }
}

TEST_CASE("a loader of limited epochs ends, and can be wound back") {
  const auto set = numbered(9);
  for (int threads : {0, 2}) {
    Loader loader(set, {.batch = 4, .threads = threads, .epochs = 2});
    for (int round = 0; round < 2; ++round) {
      int images = 0, batches = 0;
      while (const int count = loader.next().count) images += count, ++batches;
      CHECK(images == 18);
      CHECK(batches == 6);
      CHECK(loader.next().count == 0);
      CHECK(loader.position() == Position{2, 0});
      loader.seek({0, 0});
    }
    CHECK(has(error_of([&] { loader.seek({3, 0}); }), "beyond the last"));
    CHECK(loader.next().count == 4);  // a refused seek changes nothing
  }
}

TEST_CASE("no memory but the ring's is used") {
  const auto set = numbered(100);
  Loader loader(set, {.batch = 10, .threads = 2, .prefetch = 3});
  std::set<const float*> buffers;
  for (int i = 0; i < 100; ++i) buffers.insert(loader.next().images);
  CHECK(buffers.size() == 4);
}

TEST_CASE("a loader can be abandoned at any moment") {
  const auto set = numbered(40, 16);
  for (int taken = 0; taken < 12; ++taken) {
    Loader loader(set, {.batch = 4, .threads = 3, .prefetch = 4});
    for (int i = 0; i < taken; ++i) loader.next();
  }
}

TEST_CASE("a user's own transform is called, and what it throws arrives with its batch") {
  const auto set = numbered(12);
  for (int threads : {0, 1, 3}) {
    std::atomic<bool> broken = true;
    const auto transform = [&](const data::ImageSet& s, int image, int epoch, float* out) {
      if (broken && image == 7) throw Error("image 7 is bad");
      std::fill(out, out + s.image_bytes(), static_cast<float>(image + 100 * epoch));
    };
    Loader loader(set, {.batch = 3, .threads = threads, .prefetch = 3, .transform = transform});
    CHECK(loader.next().images[0] == 0);
    CHECK(loader.next().images[0] == 3);
    CHECK(error_of([&] { loader.next(); }) == "image 7 is bad");
    CHECK(error_of([&] { loader.next(); }) == "image 7 is bad");
    CHECK(loader.position() == Position{0, 2});
    broken = false;
    loader.seek({0, 2});
    CHECK(loader.next().images[48] == 7);
    CHECK(loader.next().images[0] == 9);
    CHECK(loader.next().images[0] == 100);
  }
}

TEST_CASE("nonsense is refused with words") {
  const auto set = numbered(5);
  CHECK(has(error_of([&] { Loader l(set, {.batch = 0}); }), "batch size is 0"));
  CHECK(has(error_of([&] { Loader l(set, {.batch = -3}); }), "batch size is -3"));
  CHECK(has(error_of([&] { Loader l(set, {.threads = -1}); }), "threads is -1"));
  CHECK(has(error_of([&] { Loader l(set, {.prefetch = 0}); }), "prefetch is 0"));
  CHECK(has(error_of([&] { Loader l(set, {.batch = 6, .drop_last = true}); }), "larger than 'numbered' with 5"));
  Loader loader(set, {.batch = 2});
  CHECK(has(error_of([&] { loader.seek({0, 3}); }), "no batch 3"));
  CHECK(has(error_of([&] { loader.seek({-1, 0}); }), "in epoch -1"));
  auto bad = numbered(5);
  bad.labels[2] = 10;
  CHECK(has(error_of([&] { Loader l(bad); }), "image 2 of 'numbered' has label 10"));
}
