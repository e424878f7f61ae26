#include "moecnn/data/segmentation_augment.hpp"

#include <doctest/doctest.h>

#include "../io/scratch.hpp"
#include "pictures.hpp"

using namespace moecnn;
using data::SegmentationAugment;
using data::SegmentationCut;

namespace {

/// A picture whose label tells the pixel and whose colours do, too: value v of label and red, v + 1 of green, v + 2 blue.
data::SegmentationSample numbered(int h, int w) {
  data::SegmentationSample s{{h, w, {}}, {h, w, {}}};
  for (int c = 0; c < 3; ++c)
    for (int i = 0; i < h * w; ++i) s.image.pixels.push_back(static_cast<std::uint8_t>((7 * i) % 200 + c));
  for (int i = 0; i < h * w; ++i) s.labels.values.push_back(static_cast<std::uint8_t>((7 * i) % 200));
  return s;
}

struct Cut {
  std::vector<float> image;
  std::vector<int> labels;
};
Cut apply(const data::SegmentationSample& sample, const SegmentationCut& cut, const SegmentationAugment& opts) {
  const int plane = cut.out.h * cut.out.w;
  Cut out{std::vector<float>(3 * plane + 1, -99.0f), std::vector<int>(plane + 1, -99)};
  data::CutScratch scratch;
  apply_cut(sample, cut, opts, out.image.data(), out.labels.data(), scratch);
  CHECK(out.image.back() == -99);  // nothing is written behind the end
  CHECK(out.labels.back() == -99);
  return out;
}

}  // namespace

TEST_CASE("for evaluation pictures are only normalised") {
  const auto sample = numbered(5, 7);
  const auto opts = SegmentationAugment::none();
  CHECK_NOTHROW(check_consistent(opts));
  const auto cut = draw_cut(opts, Rng(1, Purpose::augment), 3, {5, 7});
  CHECK(cut.out == Size2(5, 7));
  const auto out = apply(sample, cut, opts);
  for (int c = 0; c < 3; ++c)
    for (int i = 0; i < 35; ++i)
      CHECK(out.image[c * 35 + i] ==
            doctest::Approx((sample.image.pixels[c * 35 + i] / 255.0 - opts.mean[c]) / opts.std[c]).epsilon(1e-5));
  for (int i = 0; i < 35; ++i) CHECK(out.labels[i] == sample.labels.values[i]);
  const auto smaller = draw_cut(SegmentationAugment::none({2, 3}), Rng(1, Purpose::augment), 3, {5, 7});
  CHECK(smaller.out == Size2(2, 3));
  CHECK(smaller.scaled == Size2(2, 3));
}

TEST_CASE("crop, padding and flip move image and labels together, for every offset") {
  const auto sample = numbered(4, 5);
  SegmentationAugment opts = SegmentationAugment::none();
  opts.mean = {0, 0, 0}, opts.std = {1, 1, 1};
  for (Size2 size : {Size2(2, 3), Size2(4, 5), Size2(7, 8), Size2(3, 9), Size2(9, 2)})
    for (int top = std::min(0, 4 - size.h); top <= std::max(0, 4 - size.h); ++top)
      for (int left = std::min(0, 5 - size.w); left <= std::max(0, 5 - size.w); ++left)
        for (bool flip : {false, true}) {
          SegmentationCut cut{.scaled = {4, 5}, .out = size, .top = top, .left = left};
          cut.colour.flip = flip;
          const auto out = apply(sample, cut, opts);
          for (int y = 0; y < size.h; ++y)
            for (int x = 0; x < size.w; ++x) {
              const int sy = y + top, sx = (flip ? size.w - 1 - x : x) + left;
              const bool inside = sy >= 0 && sy < 4 && sx >= 0 && sx < 5;
              const int at = y * size.w + x;
              REQUIRE(out.labels[at] == (inside ? sample.labels.values[sy * 5 + sx] : 255));
              for (int c = 0; c < 3; ++c)
                REQUIRE(out.image[c * size.h * size.w + at] ==
                        doctest::Approx(inside ? sample.image.pixels[c * 20 + sy * 5 + sx] / 255.0 : 0).epsilon(1e-6));
            }
        }
}

TEST_CASE("scaled pictures are bilinear, their labels nearest") {
  const auto sample = numbered(6, 8);
  SegmentationAugment opts = SegmentationAugment::none();
  opts.mean = {0, 0, 0}, opts.std = {1, 1, 1};
  const auto out = apply(sample, {.scaled = {12, 16}, .out = {4, 5}, .top = 3, .left = 2}, opts);
  for (int y = 0; y < 4; ++y)
    for (int x = 0; x < 5; ++x) {
      CHECK(out.labels[y * 5 + x] == sample.labels.values[(y + 3) / 2 * 8 + (x + 2) / 2]);
      // Twice as large: weights 3/4 and 1/4 on each axis.
      const int gy = y + 3, gx = x + 2;
      const int near_y = gy / 2, far_y = gy % 2 ? near_y + 1 : near_y - 1;
      const int near_x = gx / 2, far_x = gx % 2 ? near_x + 1 : near_x - 1;
      const auto v = [&](int i, int j) { return sample.image.pixels[i * 8 + j] / 255.0; };
      const double wanted =
          (9 * v(near_y, near_x) + 3 * v(near_y, far_x) + 3 * v(far_y, near_x) + v(far_y, far_x)) / 16;
      CHECK(out.image[y * 5 + x] == doctest::Approx(wanted).epsilon(1e-5));
    }
}

TEST_CASE("jitter is that of small images and does not see the padding") {
  const auto sample = numbered(4, 4);
  const auto opts = SegmentationAugment::none();
  SegmentationCut cut{.scaled = 4, .out = 4};
  cut.colour.brightness = 1.2f, cut.colour.contrast = 0.7f, cut.colour.saturation = 1.3f;
  const auto out = apply(sample, cut, opts);
  data::AugmentOpts small = data::AugmentOpts::none();
  small.mean = opts.mean, small.std = opts.std;
  std::vector<float> wanted(48);
  apply_augmentation(sample.image.pixels.data(), wanted.data(), cut.colour, small, 4, 4);
  for (int i = 0; i < 48; ++i) CHECK(out.image[i] == doctest::Approx(wanted[i]).epsilon(1e-4));
  cut.out = {6, 7}, cut.top = -1, cut.left = -2;
  const auto padded = apply(sample, cut, opts);
  for (int c = 0; c < 3; ++c)
    for (int y = 0; y < 4; ++y)
      for (int x = 0; x < 4; ++x) CHECK(padded.image[c * 42 + (y + 1) * 7 + x + 2] == out.image[c * 16 + y * 4 + x]);
}

TEST_CASE("what is drawn has the recipe's distribution and depends on seed, epoch and index alone") {
  SegmentationAugment opts = SegmentationAugment::training({60, 100});
  CHECK_NOTHROW(check_consistent(opts));
  const Rng rng(42, Purpose::augment, 3);
  int flips = 0, flips_of_large = 0, padded = 0, differ = 0;
  double scales = 0, tops = 0;
  for (int i = 0; i < 4000; ++i) {
    const auto cut = draw_cut(opts, rng, i, {80, 100});
    REQUIRE(cut.scaled.h >= 40);
    REQUIRE(cut.scaled.h <= 160);
    REQUIRE(std::abs(cut.scaled.h * 5 - cut.scaled.w * 4) <= 4);  // both axes by one factor
    const int room = cut.scaled.h - 60;
    REQUIRE(cut.top >= std::min(0, room));
    REQUIRE(cut.top <= std::max(0, room));
    padded += room < 0;
    flips += cut.colour.flip;
    flips_of_large += cut.colour.flip && cut.scaled.h > 100;
    scales += cut.scaled.h / 80.0;
    if (room > 0) tops += cut.top / double(room) - 0.5;
    differ += draw_cut(opts, Rng(42, Purpose::augment, 4), i, {80, 100}).scaled != cut.scaled;
    const auto again = draw_cut(opts, rng, i, {80, 100});
    REQUIRE((again.scaled == cut.scaled && again.top == cut.top && again.left == cut.left));
  }
  CHECK(flips == doctest::Approx(2000).epsilon(0.05));
  CHECK(flips_of_large == doctest::Approx(1000).epsilon(0.1));  // one tells nothing about the other
  CHECK(scales / 4000 == doctest::Approx(1.25).epsilon(0.02));
  CHECK(padded == doctest::Approx(4000 * (0.75 - 0.5) / 1.5).epsilon(0.15));
  CHECK(std::abs(tops) < 60);
  CHECK(differ > 3500);
}

TEST_CASE("the base size comes before the scale") {
  SegmentationAugment opts{.crop = 10, .base = {40, 80}, .min_scale = 1.5f, .max_scale = 1.5f};
  CHECK(draw_cut(opts, Rng(1, Purpose::augment), 0, {1024, 2048}).scaled == Size2(60, 120));
}

TEST_CASE("nonsense is refused") {
  const auto error = [](SegmentationAugment a) { return error_of([&] { check_consistent(a); }); };
  CHECK(has(error({.min_scale = 0.5f}), "scaled at random, so they need the size of a crop"));
  CHECK(has(error({.crop = {0, 5}}), "crop 0 × 5"));
  CHECK(has(error({.crop = 5, .base = -1}), "base size -1 × -1"));
  CHECK(has(error({.crop = 5, .min_scale = 0}), "scaled by 0 to 1"));
  CHECK(has(error({.crop = 5, .min_scale = 3}), "scaled by 3 to 1"));
}
