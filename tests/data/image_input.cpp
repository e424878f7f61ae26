#include "moecnn/data/image_input.hpp"

#include "io/scratch.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using namespace moecnn::data;

namespace {

/// Red is the column, green the row, blue their sum, times `step`.
RgbImage ramp(int h, int w, int step = 1) {
  RgbImage image{h, w, {}};
  for (int c = 0; c < 3; ++c)
    for (int y = 0; y < h; ++y)
      for (int x = 0; x < w; ++x)
        image.pixels.push_back(static_cast<std::uint8_t>(step * (c == 0 ? x : c == 1 ? y : x + y)));
  return image;
}

constexpr AugmentOpts plain{.mean = {0, 0, 0}, .std = {1, 1, 1}};

}  // namespace

TEST_CASE("a picture of the network's size comes out as from the loader, bit for bit") {
  const RgbImage image = ramp(32, 32, 4);
  std::vector<float> wanted(3 * 32 * 32);
  apply_augmentation(image.pixels.data(), wanted.data(), {}, AugmentOpts::none());
  CHECK(image_input(image, 32, 32) == wanted);
}

TEST_CASE("the middle is seen, in its proportions") {
  // 8 × 24 → 8 × 8: columns 8 … 15.
  const auto wide = image_input(ramp(8, 24), 8, 8, plain);
  CHECK(wide[0] == doctest::Approx(8 / 255.0));
  CHECK(wide[7] == doctest::Approx(15 / 255.0));
  CHECK(wide[64 + 8 * 7] == doctest::Approx(7 / 255.0));
  const auto tall = image_input(ramp(24, 8), 8, 8, plain);
  CHECK(tall[64] == doctest::Approx(8 / 255.0));
  // Twice as large: the mean of a linear ramp is its value in the middle of two pixels.
  const auto large = image_input(ramp(64, 64), 32, 32, plain);
  CHECK(large[10] == doctest::Approx(20.5 / 255).epsilon(1e-5));
  CHECK(large[32 * 32 + 10 * 32] == doctest::Approx(20.5 / 255).epsilon(1e-5));
}

TEST_CASE("pictures of any size and shape") {
  for (const auto& size : {std::pair{1, 1}, {1, 300}, {299, 2}, {7, 5}, {33, 31}, {500, 333}}) {
    const int h = size.first, w = size.second;
    CAPTURE(h);
    CAPTURE(w);
    RgbImage image{h, w, std::vector<std::uint8_t>(3u * h * w, 51)};
    const auto seen = image_input(image, 32, 32, plain);
    CHECK(seen.size() == 3 * 32 * 32);
    CHECK(std::all_of(seen.begin(), seen.end(), [](float v) { return std::abs(v - 0.2f) < 1e-5f; }));
  }
}

TEST_CASE("what cannot be a picture is refused") {
  CHECK(has(error_of([] { image_input(RgbImage{}, 32, 32); }), "expected 3 values per pixel"));
  CHECK(has(error_of([] { image_input(RgbImage{4, 4, {1, 2}}, 32, 32); }), "4 × 4"));
  CHECK(has(error_of([] { image_input(ramp(4, 4), 0, 32); }), "32 × 0"));
}
