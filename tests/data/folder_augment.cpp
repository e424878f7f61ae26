#include "moecnn/data/folder_augment.hpp"

#include <doctest/doctest.h>

#include "../io/scratch.hpp"

using namespace moecnn;
using data::FolderAugment;

namespace {

data::RgbImage gradient(int h, int w) {
  data::RgbImage image{h, w, {}};
  for (int c = 0; c < 3; ++c)
    for (int y = 0; y < h; ++y)
      for (int x = 0; x < w; ++x) image.pixels.push_back(static_cast<std::uint8_t>(c == 0 ? x : c == 1 ? y : 100));
  return image;
}

FolderAugment raw(FolderAugment a) {
  a.mean = {0, 0, 0}, a.std = {1 / 255.0f, 1 / 255.0f, 1 / 255.0f};
  return a;
}

}  // namespace

TEST_CASE("random-resized crops: inside the picture, area and ratio within their limits, and they vary") {
  const FolderAugment opts = FolderAugment::training();
  const Rng rng(1, Purpose::augment, 0);
  double least = 1, most = 0, flips = 0, narrow = 9, wide = 0;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    const auto w = data::draw_window(opts, rng, i, {120, 160});
    REQUIRE(w.top >= 0);
    REQUIRE(w.left >= 0);
    REQUIRE(w.top + w.h <= 120);
    REQUIRE(w.left + w.w <= 160);
    const double share = w.h * w.w / (120.0 * 160.0), ratio = static_cast<double>(w.w) / w.h;
    least = std::min(least, share), most = std::max(most, share), flips += w.flip;
    narrow = std::min(narrow, ratio), wide = std::max(wide, ratio);
  }
  CHECK(least == doctest::Approx(0.08).epsilon(0.1));
  CHECK(most > 0.9);
  CHECK(narrow == doctest::Approx(0.75).epsilon(0.05));
  CHECK(wide == doctest::Approx(4.0 / 3).epsilon(0.05));
  CHECK(flips == doctest::Approx(1000).epsilon(0.1));
  const auto a = data::draw_window(opts, rng, 5, {120, 160}), b = data::draw_window(opts, rng, 5, {120, 160});
  CHECK((a.top == b.top && a.left == b.left && a.h == b.h && a.w == b.w));
}

TEST_CASE("random-resized crops: where no window fits, the middle within the ratios") {
  const Rng rng(1, Purpose::augment, 0);
  const FolderAugment opts{.min_scale = 1, .max_scale = 1};
  const auto wide = data::draw_window({.min_scale = 0.99, .max_scale = 1}, rng, 0, {10, 1000});
  CHECK(wide.h == 10);
  CHECK(wide.w == 13);
  CHECK(wide.left == 493);
  const auto tall = data::draw_window({.min_scale = 0.99, .max_scale = 1}, rng, 0, {1000, 9});
  CHECK(tall.w == 9);
  CHECK(tall.h == 12);
  const auto dot = data::draw_window({.min_scale = 0.08, .max_scale = 1}, rng, 0, {1, 1});
  CHECK((dot.h == 1 && dot.w == 1));
  CHECK_FALSE(opts.crops());
}

TEST_CASE("a window is cut, resized and mirrored; by default the middle") {
  const auto image = gradient(40, 60);
  std::vector<float> out(3 * 20 * 20), line;
  data::apply_window(image, {.top = 5, .left = 30, .h = 20, .w = 20}, 20, raw({}), out.data(), line);
  CHECK(out[0] == doctest::Approx(30));
  CHECK(out[19] == doctest::Approx(49));
  CHECK(out[400 + 19 * 20] == doctest::Approx(24));
  CHECK(out[800] == doctest::Approx(100));
  data::apply_window(image, {.top = 5, .left = 30, .h = 20, .w = 20, .flip = true}, 20, raw({}), out.data(), line);
  CHECK(out[0] == doctest::Approx(49));
  CHECK(out[19] == doctest::Approx(30));
  const Rng rng(1, Purpose::augment, 0);
  FolderAugment middle = raw({.margin = 2});  // 40 × 60 stays as it is, and the middle 20 × 20 is cut
  data::apply_folder_augment(image, middle, rng, 0, 20, out.data(), line);
  CHECK(out[0] == doctest::Approx(20));
  CHECK(out[400] == doctest::Approx(10));
  middle.flip = 1;
  data::apply_folder_augment(image, middle, rng, 0, 20, out.data(), line);
  CHECK(out[0] == doctest::Approx(39));
  CHECK(out[400] == doctest::Approx(10));
}

TEST_CASE("options that cannot be are refused") {
  for (const FolderAugment& a :
       {FolderAugment{.min_scale = 0}, FolderAugment{.max_scale = 1.5},
        FolderAugment{.min_scale = 0.9, .max_scale = 0.5}, FolderAugment{.min_ratio = 0}, FolderAugment{.flip = 2},
        FolderAugment{.margin = 0.5}, FolderAugment{.std = {1, 0, 1}}})
    CHECK_THROWS_AS(data::check_consistent(a), Error);
  CHECK_NOTHROW(data::check_consistent(FolderAugment::training()));
}
