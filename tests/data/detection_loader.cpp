#include "moecnn/data/detection_loader.hpp"

#include <doctest/doctest.h>

#include <map>
#include <set>

#include "coco_files.hpp"
#include "moecnn/data/synthetic_boxes.hpp"
#include "moecnn/train/batches.hpp"
#include "real_data.hpp"

using namespace moecnn;
using data::DetectionAugment;
using data::DetectionLoader;
using data::DetectionLoaderOpts;
using data::Position;

static_assert(BatchSource<DetectionLoader>);

namespace {

/// Everything in a batch, to be compared.
struct Copy {
  std::vector<float> images, deltas;
  std::vector<int> indices, classes;
  std::vector<detection::Box> boxes;
  Size2 size = 1;
  Position position;
  bool last = false;
  bool operator==(const Copy&) const = default;
};

Copy next_copy(DetectionLoader& loader) {
  const auto& b = loader.next();
  const auto images = static_cast<std::size_t>(b.count) * 3 * b.size.h * b.size.w;
  const auto anchors = static_cast<std::size_t>(b.count) * b.anchors;
  Copy copy{
      {b.images, b.images + images}, {}, {b.indices, b.indices + b.count}, {}, {}, b.size, b.position, b.last_of_epoch};
  if (b.anchor_class) {
    copy.classes.assign(b.anchor_class, b.anchor_class + anchors);
    copy.deltas.assign(b.anchor_deltas, b.anchor_deltas + 4 * anchors);
  }
  for (int i = 0; i < b.count; ++i)
    for (const auto& o : b.objects[i]) copy.boxes.push_back(o.box);
  return copy;
}

std::vector<Copy> copies(const data::DetectionSet& set, DetectionLoaderOpts opts, int batches, Position from = {}) {
  DetectionLoader loader(set, opts);
  loader.seek(from);
  std::vector<Copy> all;
  for (int i = 0; i < batches; ++i) all.push_back(next_copy(loader));
  return all;
}

/// Scenes of several sizes.
data::DetectionSet mixed_scenes(int n) {
  const auto wide = data::synthetic_boxes(n, {.height = 64, .width = 96}),
             tall = data::synthetic_boxes(n, {.height = 96, .width = 64, .seed = 1});
  data::DetectionSet set{.name = "mixed", .class_names = wide.class_names, .category_ids = wide.category_ids};
  for (int i = 0; i < n; ++i)
    for (const auto* from : {&wide, &tall}) {
      set.add(from->pictures[static_cast<std::size_t>(i)]);
      for (std::size_t o = 0; o < from->objects_of(i).size(); ++o)
        set.add(from->boxes_of(i)[o], from->objects_of(i)[o], static_cast<long long>(set.objects.size()) + 1);
      set.pixels.push_back(from->pixels[static_cast<std::size_t>(i)]);
    }
  return set;
}

/// n files of 20 × 30 pixels, picture i of the value i.
void add_pictures(CocoFiles& files, int n) {
  for (int i = 0; i < n; ++i) {
    files.picture(i + 1, std::to_string(i) + ".png", 20, 30, static_cast<std::uint8_t>(i));
    files.box(i + 1, i + 1, "[2, 3, 16, 12]");
  }
}

/// Pixels are the bytes themselves.
DetectionAugment raw() {
  DetectionAugment a;
  a.mean = {0, 0, 0}, a.std = {1 / 255.0f, 1 / 255.0f, 1 / 255.0f};
  return a;
}

}  // namespace

TEST_CASE("an epoch holds every picture once, in batches of few shapes") {
  const auto set = mixed_scenes(7);
  for (const int threads : {0, 2}) {
    auto opts = DetectionLoaderOpts::training(DetectionAugment::training(64, 96),
                                              {.batch = 4, .seed = 3, .threads = threads, .epochs = 2});
    DetectionLoader loader(set, opts);
    CHECK(loader.shapes().shapes == std::vector<Size2>{{64, 96}, {96, 64}});
    CHECK(loader.shapes().counts == std::vector<long long>{7, 7});
    CHECK(loader.batches_per_epoch() == 4);
    CHECK(loader.images_per_epoch() == 14);
    std::vector<std::vector<int>> orders;
    for (int epoch = 0; epoch < 2; ++epoch) {
      std::vector<int> order;
      for (int b = 0; b < 4; ++b) {
        CHECK(loader.position() == Position{epoch, b});
        const auto& batch = loader.next();
        CHECK((batch.count == 4 || batch.count == 3));
        CHECK(batch.last_of_epoch == (b == 3));
        CHECK(batch.size == loader.shapes().shapes[static_cast<std::size_t>(batch.shape)]);
        CHECK(reinterpret_cast<std::uintptr_t>(batch.images) % 64 == 0);
        for (int i = 0; i < batch.count; ++i) {
          const auto& picture = set.pictures[static_cast<std::size_t>(batch.indices[i])];
          CHECK(batch.places[i].own == Size2(picture.height, picture.width));
          CHECK(batch.places[i].size == batch.size);
          CHECK(batch.objects[i].size() == set.objects_of(batch.indices[i]).size());
          order.push_back(batch.indices[i]);
        }
      }
      CHECK(std::set(order.begin(), order.end()).size() == 14);
      orders.push_back(order);
    }
    CHECK(orders[0] != orders[1]);
    CHECK(loader.next().count == 0);
  }
}

TEST_CASE("threads, prefetch and the place of resuming change nothing") {
  const auto set = mixed_scenes(4);
  const auto plain =
      DetectionLoaderOpts::training(DetectionAugment::training(48, 96), {.batch = 3, .seed = 9, .threads = 0});
  const auto expected = copies(set, plain, 12);
  for (const int threads : {1, 3})
    for (const int prefetch : {1, 6}) {
      auto opts = plain;
      opts.threads = threads, opts.prefetch = prefetch;
      CHECK(copies(set, opts, 12) == expected);
      for (const int start : {1, 6}) {
        const auto rest = copies(set, opts, 3, {start / 4, start % 4});
        CHECK(std::equal(rest.begin(), rest.end(), expected.begin() + start));
      }
    }
  auto other = plain;
  other.seed = 10;
  CHECK(copies(set, other, 12) != expected);
}

TEST_CASE("targets are those of the matcher, for boxes that moved with the picture") {
  const auto set = data::synthetic_boxes(6, {.height = 128, .width = 160});
  auto opts = DetectionLoaderOpts::training(DetectionAugment::training(256, 512), {.batch = 2, .threads = 1});
  DetectionLoader loader(set, opts);
  int flipped = 0, positive = 0;
  std::map<int, std::set<bool>> flips;  // every epoch draws anew
  for (int b = 0; b < 12; ++b) {
    const auto& batch = loader.next();
    const detection::Anchors anchors(batch.size);
    REQUIRE(batch.anchors == static_cast<int>(anchors.size()));
    CHECK(loader.anchors(batch.shape).size() == anchors.size());
    const Targets targets = batch.targets();
    REQUIRE(targets.get<std::int32_t>("anchor_class") == batch.anchor_class);
    REQUIRE(targets.get<float>("anchor_deltas") == batch.anchor_deltas);
    detection::Matcher matcher({.least_side = 0});
    std::vector<std::int32_t> classes(anchors.size());
    std::vector<float> deltas(4 * anchors.size());
    for (int i = 0; i < batch.count; ++i) {
      const auto& place = batch.places[i];
      flipped += place.flip;
      flips[batch.indices[i]].insert(place.flip);
      CHECK(place.scale == 2);
      std::vector<detection::Object> objects;
      for (std::size_t o = 0; o < set.objects_of(batch.indices[i]).size(); ++o) {
        auto object = set.objects_of(batch.indices[i])[o];
        auto& x = object.box;
        if (place.flip) x = {160 - x.x2, x.y1, 160 - x.x1, x.y2};
        x = {2 * x.x1, 2 * x.y1, 2 * x.x2, 2 * x.y2};
        CHECK(batch.objects[i][o].box == x);
        CHECK(place.to_file(x) == set.objects_of(batch.indices[i])[o].box);
        objects.push_back(object);
      }
      matcher.match(anchors, objects, classes, deltas);
      CHECK(std::equal(classes.begin(), classes.end(),
                       batch.anchor_class + static_cast<std::ptrdiff_t>(i) * batch.anchors));
      CHECK(std::equal(deltas.begin(), deltas.end(),
                       batch.anchor_deltas + static_cast<std::ptrdiff_t>(4 * i) * batch.anchors));
      for (const int c : classes) positive += c >= 0;
    }
  }
  CHECK(flipped > 0);
  CHECK(flipped < 24);
  CHECK(std::any_of(flips.begin(), flips.end(), [](const auto& f) { return f.second.size() == 2; }));
  CHECK(positive > 50);
  DetectionLoader without(set, {.targets = false});
  const auto& batch = without.next();
  CHECK(batch.anchors == 0);
  CHECK(batch.targets().names() == " none");
}

TEST_CASE("pictures of another size than their record, missing and damaged ones are left out") {
  CocoFiles files;
  add_pictures(files, 7);
  std::filesystem::remove(files.dir / "1.png");
  put_bytes(files.dir / "2.png", bytes_of(files.dir / "2.png").substr(0, 60));
  put_bytes(files.dir / "3.png", pictures::png(30, 20, std::vector<std::uint8_t>(1800)));
  const auto set = files.read();
  DetectionLoader loader(set, {.batch = 4, .augment = raw(), .most_broken = 0.5});
  const auto& first = loader.next();
  CHECK(first.count == 1);
  CHECK(first.indices[0] == 0);
  CHECK(loader.next().count == 3);
  REQUIRE(loader.broken().all().size() == 3);
  CHECK(has(loader.broken().all().at(1), "1.png is not there"));
  CHECK(has(loader.broken().all().at(2), "2.png cannot be decoded as PNG"));
  CHECK(has(loader.broken().all().at(3), "3.png has 20 × 30 pixels, but its annotations say 30 × 20"));
  CHECK(loader.warnings().size() == 3);

  DetectionLoader strict(set, {.batch = 4, .augment = raw()});
  CHECK(has(error_of([&] { strict.next(); }), "3 of 7 samples cannot be read, more than the 1 % that are accepted"));
}

TEST_CASE("another picture stands in, with its own boxes, and fits into the batch") {
  CocoFiles files;
  add_pictures(files, 5);
  files.picture(9, "wide.png", 20, 120, 9);
  files.box(100, 9, "[60, 0, 60, 20]");
  std::filesystem::remove(files.dir / "0.png");
  const auto set = files.read();
  auto opts = DetectionLoaderOpts::training(raw(), {.batch = 5, .most_broken = 0.5});
  DetectionLoader loader(set, opts);
  CHECK(loader.shapes().shapes == std::vector<Size2>{{32, 128}, {32, 32}});
  std::set<int> stand_ins;
  for (int epoch = 0; epoch < 12; ++epoch)
    for (int b = 0; b < 2; ++b) {
      const auto& batch = loader.next();
      REQUIRE(batch.count == (batch.shape == 0 ? 1 : 5));
      std::map<int, int> times;
      for (int i = 0; i < batch.count; ++i) {
        const int index = batch.indices[i];
        if (++times[index] > 1 || (batch.shape == 1 && index == 5)) stand_ins.insert(index);
        const int value = index == 5 ? 9 : index;
        const float* image = batch.images + static_cast<std::ptrdiff_t>(i) * 3 * batch.size.h * batch.size.w;
        CHECK(image[0] == doctest::Approx(value));
        REQUIRE(batch.objects[i].size() == 1);
        const auto box = batch.places[i].to_file(batch.objects[i][0].box);
        CHECK(box.x1 == doctest::Approx(index == 5 ? 60 : 2));
        CHECK(box.x2 == doctest::Approx(index == 5 ? 120 : 18));
        CHECK(batch.objects[i][0].box.x2 <= static_cast<float>(batch.places[i].size.w));
        CHECK(batch.places[i].size.w <= batch.size.w);
      }
    }
  CHECK(stand_ins.contains(5));
  CHECK(stand_ins.size() >= 3);
  CHECK(loader.broken().times() >= 12);
}

TEST_CASE("settings without sense, and what a run was made with") {
  const auto set = mixed_scenes(2);
  const auto error = [&](DetectionLoaderOpts o) { return error_of([&] { DetectionLoader loader(set, o); }); };
  CHECK(has(error({.batch = 0}), "the batch size is 0"));
  CHECK(has(error({.shapes = 0}), "at most 0 shapes"));
  CHECK(has(error({.threads = -1}), "loader threads is -1"));
  CHECK(has(error({.batch = 9, .drop_last = true}), "none of 2 groups of samples is as large as a batch of 9"));
  CHECK(has(error({.augment = {.side = -1}}), "a shorter side of -1"));
  CHECK(has(error_of([] { DetectionLoader loader(data::DetectionSet{.name = "x"}); }), "'x' has no classes"));
  CHECK(DetectionLoader(set, DetectionLoaderOpts::training(DetectionAugment::paper(), {.seed = 4})).text() ==
        "4 of 4 pictures with " + std::to_string(set.objects.size()) +
            " boxes of 5 classes, shuffled, seed 4, sides 608 to 1024, multiples of 32 and more, 2 shapes, flip 0.5");
}

TEST_CASE("the COCO subset, by the paper's recipe") {
  const auto dir = real_data("detection/coco");
  if (!dir) return;
  const auto set = data::coco(*dir, "val2017");
  DetectionLoader loader(set, DetectionLoaderOpts::training(DetectionAugment::paper(), {.shapes = 5, .epochs = 1}));
  CHECK(loader.shapes().size() == 5);
  std::set<int> seen;
  long long boxes = 0, expected = 0, positive = 0;
  for (;;) {
    const auto& batch = loader.next();
    if (batch.count == 0) break;
    CHECK(batch.size.h % 32 == 0);
    CHECK(batch.size.w % 32 == 0);
    for (int i = 0; i < batch.count; ++i) {
      seen.insert(batch.indices[i]);
      boxes += static_cast<long long>(batch.objects[i].size());
      for (int a = 0; a < batch.anchors; ++a) positive += batch.anchor_class[i * batch.anchors + a] >= 0;
    }
  }
  for (const auto& o : set.objects) expected += !o.crowd;
  CHECK(seen.size() == 33);
  CHECK(boxes == expected);
  CHECK(positive > 3000);
  CHECK(loader.broken().all().empty());
}
