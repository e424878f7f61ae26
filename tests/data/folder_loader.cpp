#include "moecnn/data/folder_loader.hpp"

#include <doctest/doctest.h>

#include "../io/scratch.hpp"
#include "batch_copy.hpp"
#include "moecnn/train/batches.hpp"
#include "pictures.hpp"

using namespace moecnn;
using data::FolderLoader;
using data::FolderLoaderOpts;

static_assert(BatchSource<FolderLoader>);

namespace {

/// n pictures of different sizes in each of two classes; every byte of picture i of class c is 100 c + i.
data::ImageFolder folder(const Scratch& dir, int n) {
  for (int c = 0; c < 2; ++c)
    for (int i = 0; i < n; ++i) {
      const int h = 8 + i, w = 12;
      const auto path = dir / (c == 0 ? "a" : "b") / (std::to_string(10 + i) + ".png");
      std::filesystem::create_directories(path.parent_path());
      put_bytes(path,
                pictures::png(h, w, std::vector<std::uint8_t>(3 * h * w, static_cast<std::uint8_t>(100 * c + i))));
    }
  return data::image_folder(dir.dir());
}

std::vector<BatchCopy> copies(const data::ImageFolder& set, const FolderLoaderOpts& opts, int batches,
                              data::Position from = {}) {
  FolderLoader loader(set, {6, 6}, opts);
  loader.seek(from);
  std::vector<BatchCopy> all;
  for (int i = 0; i < batches; ++i) all.push_back(copy_of(loader.next(), 3 * 36, 1));
  return all;
}

FolderLoaderOpts raw(FolderLoaderOpts o) {
  o.augment.mean = {0, 0, 0}, o.augment.std = {1 / 255.0f, 1 / 255.0f, 1 / 255.0f};
  return o;
}

}  // namespace

TEST_CASE("folder loader: pictures of any size come out in one size, with their labels, in order") {
  Scratch dir;
  const auto set = folder(dir, 3);
  const auto all = copies(set, raw({.batch = 4}), 2);
  CHECK(all[0].labels == std::vector<int>{0, 0, 0, 1});
  CHECK(all[1].labels == std::vector<int>{1, 1});
  CHECK(all[1].last);
  for (int i = 0; i < 6; ++i)
    CHECK(all[i / 4].images[static_cast<std::size_t>(i % 4) * 108] == doctest::Approx(100 * (i / 3) + i % 3));
  FolderLoader loader(set, {6, 6}, {.batch = 4});
  CHECK(loader.batches_per_epoch() == 2);
  CHECK(loader.images_per_epoch() == 6);
  CHECK(loader.image_elements() == 108);
  CHECK(has(loader.text(), "4 of 6 pictures in 2 classes, in order"));
}

TEST_CASE("folder loader: the same batches with any number of threads, after seeking, with and without memory") {
  Scratch dir;
  const auto set = folder(dir, 7);
  const auto opts = [&](int threads, std::size_t cache) {
    return FolderLoaderOpts::training({.batch = 4, .seed = 5, .threads = threads, .cache_bytes = cache});
  };
  const auto truth = copies(set, opts(0, 0), 12);
  CHECK(copies(set, opts(1, 1 << 20), 12) == truth);
  CHECK(copies(set, opts(3, 1000), 12) == truth);
  const auto later = copies(set, opts(2, 0), 7, {1, 1});
  CHECK(later == std::vector<BatchCopy>(truth.begin() + 5, truth.end()));
  CHECK(truth[0].images != truth[4].images);  // another epoch, other crops
}

TEST_CASE("folder loader: pictures that cannot be read are replaced or left out, with the right labels, and told") {
  Scratch dir;
  const auto set = folder(dir, 60);
  put_bytes(set.files[5].path, "no picture");
  const auto bytes = bytes_of(set.files[70].path);
  put_bytes(set.files[70].path, bytes.substr(0, bytes.size() / 2));
  FolderLoader test(set, {6, 6}, raw({.batch = 120, .most_broken = 0.02}));
  const auto& left = test.next();
  CHECK(left.count == 118);
  CHECK(left.labels[5] == 0);
  CHECK(left.indices[5] == 6);
  const auto said = test.warnings();
  REQUIRE(said.size() == 2);
  CHECK(has(said[0], "left out: "));
  CHECK(has(said[0], "is neither PNG nor JPEG"));
  auto opts = raw(FolderLoaderOpts::training({.batch = 120, .most_broken = 0.02}));
  FolderLoader train(set, {6, 6}, opts);
  const auto& whole = train.next();
  CHECK(whole.count == 120);
  for (int i = 0; i < whole.count; ++i) {
    CHECK(whole.labels[i] == set.files[static_cast<std::size_t>(whole.indices[i])].label);
    CHECK((whole.images[static_cast<std::size_t>(i) * 108] >= 99.5f) == (whole.labels[i] == 1));
  }
  CHECK(train.broken().all().size() == 2);
  FolderLoader strict(set, {6, 6}, {.batch = 120});
  CHECK(has(error_of([&] { strict.next(); }), "2 of 120 samples cannot be read, more than the 1 % that are accepted"));
}

TEST_CASE("folder loader: options that cannot be are refused") {
  Scratch dir;
  const auto set = folder(dir, 2);
  CHECK_THROWS_AS(FolderLoader(set, 0), Error);
  CHECK_THROWS_AS(FolderLoader(set, 6, {.batch = 0}), Error);
  CHECK_THROWS_AS(FolderLoader(set, 6, {.batch = 5, .drop_last = true}), Error);
  CHECK_THROWS_AS(FolderLoader(data::ImageFolder{.name = "none"}, 6), Error);
  CHECK_THROWS_AS(FolderLoader(set, 6, {.augment = {.margin = 0}}), Error);
}
