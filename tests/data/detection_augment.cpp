#include "moecnn/data/detection_augment.hpp"

#include <doctest/doctest.h>

#include "../io/scratch.hpp"

using namespace moecnn;
using data::DetectionAugment;
using data::place_picture;

namespace {

/// One picture of h × w pixels with these boxes, all of class 0.
data::DetectionSet one_picture(int h, int w, const std::vector<data::CocoBox>& boxes) {
  data::DetectionSet set{.name = "one", .class_names = {"thing"}, .category_ids = {1}};
  set.add({.file = "a", .id = 1, .height = h, .width = w});
  for (const auto& b : boxes) set.add(b, {.box = {}, .label = 0, .area = b.w * b.h}, 1);
  return set;
}

std::vector<detection::Object> placed(const data::DetectionSet& set, const DetectionAugment& a, bool flip = false) {
  auto place = place_picture(a, {set.pictures[0].height, set.pictures[0].width});
  place.flip = flip;
  std::vector<detection::Object> objects(3);
  place_objects(set, 0, place, a, objects);
  return objects;
}

}  // namespace

// Expected sizes from int(round(side * scale)) in Python, with the scale as the paper's code computes it.
TEST_CASE("pictures are resized by the paper's rule and padded") {
  struct Case {
    Size2 own, size, padded, padded_more;
  };
  for (const Case& c :
       {Case{{480, 640}, {608, 811}, {608, 832}, {640, 832}}, Case{{640, 427}, {911, 608}, {928, 608}, {928, 640}},
        Case{{300, 640}, {480, 1024}, {480, 1024}, {512, 1056}}, Case{{1216, 1216}, {608, 608}, {608, 608}, {640, 640}},
        Case{{1, 3000}, {1, 1024}, {32, 1024}, {32, 1056}}, Case{{1, 1}, {608, 608}, {608, 608}, {640, 640}}}) {
    const auto place = place_picture(DetectionAugment::paper(), c.own);
    CHECK(place.own == c.own);
    CHECK(place.size == c.size);
    CHECK(padded_size(DetectionAugment::paper(), place.size) == c.padded_more);
    CHECK(padded_size(DetectionAugment::training(), place.size) == c.padded);
  }
  CHECK(place_picture(DetectionAugment::paper(), {480, 640}).scale == 608.0 / 480);
  CHECK(place_picture(DetectionAugment::paper(), {300, 640}).scale == 1024.0 / 640);
  // Halves go to even numbers.
  CHECK(place_picture({.side = 2}, {4, 9}).size == Size2(2, 4));
  CHECK(place_picture({.side = 2}, {4, 11}).size == Size2(2, 6));
  CHECK(place_picture({}, {33, 64}).size == Size2(33, 64));
  CHECK(data::padded_size({}, {33, 64}) == Size2(64, 64));
  CHECK(data::padded_size({.multiple = 1}, {33, 64}) == Size2(33, 64));
}

TEST_CASE("a picture of another shape shrinks until it fits") {
  auto place = place_picture(DetectionAugment::training(608, 1024), {640, 427});
  shrink_to(place, {608, 832});
  CHECK(place.size == Size2(608, 406));
  CHECK(place.scale == 608.0 / 640);
  shrink_to(place, {608, 406});
  CHECK(place.size == Size2(608, 406));
  shrink_to(place, {608, 1});
  CHECK(place.size.w == 1);
}

TEST_CASE("boxes move with their picture") {
  const auto set = one_picture(100, 200, {{10, 20, 30, 40}});
  const DetectionAugment twice{.side = 200};
  const auto plain = placed(set, twice);
  REQUIRE(plain.size() == 1);
  CHECK(plain[0].box == detection::Box{20, 40, 80, 120});
  CHECK(plain[0].area == 1200);
  const auto flipped = placed(set, twice, true);
  CHECK(flipped[0].box == detection::Box{320, 40, 380, 120});
  auto place = place_picture(twice, {100, 200});
  CHECK(place.to_file(plain[0].box) == detection::Box{10, 20, 40, 60});
  place.flip = true;
  CHECK(place.to_file(flipped[0].box) == detection::Box{10, 20, 40, 60});
}

TEST_CASE("boxes are clipped to their picture, those without use are left out") {
  const auto set = one_picture(100, 200,
                               {{-5, -5, 10, 10},
                                {190, 95, 1000, 1000},
                                {300, 10, 5, 5},
                                {10, 10, 0, 50},
                                {10, 10, 0.9, 50},
                                {10, 10, 50, 1},
                                {199.5, 10, 5, 5}});
  const auto objects = placed(set, {});
  REQUIRE(objects.size() == 3);
  CHECK(objects[0].box == detection::Box{0, 0, 5, 5});
  CHECK(objects[1].box == detection::Box{190, 95, 200, 100});
  CHECK(objects[2].box == detection::Box{10, 10, 60, 11});
  CHECK(placed(set, {.least_side = 0}).size() == 5);
  auto crowd = one_picture(100, 200, {{10, 20, 30, 40}, {11, 20, 30, 40}});
  crowd.objects[0].crowd = true;
  REQUIRE(placed(crowd, {}).size() == 1);
  CHECK(placed(crowd, {})[0].box.x1 == 11);
}

TEST_CASE("the input is the picture at the left upper corner, normalised; the rest is 0") {
  data::RgbImage image{2, 3, {}};
  for (int i = 0; i < 18; ++i) image.pixels.push_back(static_cast<std::uint8_t>(10 * i));
  DetectionAugment a{.multiple = 4};
  const auto plain = detection_input(image, a);
  CHECK(plain.size == Size2(4, 4));
  CHECK(plain.place.size == Size2(2, 3));
  for (int c = 0; c < 3; ++c)
    for (int y = 0; y < 4; ++y)
      for (int x = 0; x < 4; ++x) {
        const float value = plain.image[static_cast<std::size_t>((c * 4 + y) * 4 + x)];
        const auto m = static_cast<std::size_t>(c);
        if (y < 2 && x < 3)
          CHECK(value == doctest::Approx((10.0f * static_cast<float>(c * 6 + y * 3 + x) / 255 - a.mean[m]) / a.std[m]));
        else
          CHECK(value == 0);
      }
  data::PictureScratch scratch;
  auto place = plain.place;
  place.flip = true;
  std::vector<float> flipped(48, 9.0f);
  apply_place(image, place, a, {4, 4}, flipped.data(), scratch);
  for (std::size_t row = 0; row < 12; ++row)
    for (std::size_t x = 0; x < 4; ++x) CHECK(flipped[4 * row + x] == (x < 3 ? plain.image[4 * row + 2 - x] : 0.0f));
}

TEST_CASE("flips come as often as asked, and again the same") {
  const Rng rng(1, Purpose::augment, 0), next(1, Purpose::augment, 1);
  const auto a = DetectionAugment::paper();
  int flips = 0, differ = 0;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    flips += draw_flip(a, rng, i);
    differ += draw_flip(a, rng, i) != draw_flip(a, next, i);
    CHECK(!draw_flip(DetectionAugment::paper(false), rng, i));
  }
  CHECK(flips > 450);
  CHECK(flips < 550);
  CHECK(differ > 400);
}

TEST_CASE("options without sense") {
  const auto error = [](const DetectionAugment& a) { return error_of([&] { check_consistent(a); }); };
  CHECK(error(DetectionAugment::paper()).empty());
  CHECK(has(error({.side = -1}), "a shorter side of -1"));
  CHECK(has(error({.side = 608, .max_side = 600}), "at most 600, the shorter one 608"));
  CHECK(has(error({.flip = 2}), "probability 2"));
  CHECK(has(error({.multiple = 0}), "multiples of 0"));
  CHECK(has(error({.std = {1, 0, 1}}), "a standard deviation is 0"));
  CHECK(has(error_of([] { data::detection_input({2, 2, {}}, {}); }), "with 0 values"));
}
