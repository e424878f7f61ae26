#include "moecnn/data/augment.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace moecnn;
using data::Augmentation;
using data::AugmentOpts;
using data::Jitter;

namespace {

/// Byte i is (7 i² + 29 i + 13) mod 256.
std::vector<std::uint8_t> pattern(int size) {
  std::vector<std::uint8_t> v(size);
  for (int i = 0; i < size; ++i) v[i] = static_cast<std::uint8_t>((i * i * 7 + i * 29 + 13) % 256);
  return v;
}

/// Options whose normalisation does nothing.
AugmentOpts raw() {
  AugmentOpts opts = AugmentOpts::none();
  opts.mean = {0, 0, 0};
  opts.std = {1, 1, 1};
  return opts;
}

std::vector<float> apply(const Augmentation& a, const AugmentOpts& opts, int h = 4, int w = 4) {
  const auto in = pattern(3 * h * w);
  std::vector<float> out(in.size(), -99.0f);
  data::apply_augmentation(in.data(), out.data(), a, opts, h, w);
  return out;
}

}  // namespace

TEST_CASE("without being asked for anything the image is only normalised") {
  const AugmentOpts opts;
  const auto in = pattern(48);
  std::vector<float> out(48);
  data::augment(in.data(), out.data(), opts, Rng(1, Purpose::augment), 5, 4, 4);
  for (int i = 0; i < 48; ++i) {
    const int c = i / 16;
    CHECK(out[i] == (static_cast<float>(in[i]) / 255.0f - opts.mean[c]) / opts.std[c]);
  }
}

TEST_CASE("flip mirrors every row") {
  const auto in = pattern(3 * 2 * 5);
  const auto out = apply({.flip = true}, raw(), 2, 5);
  for (int row = 0; row < 6; ++row)
    for (int x = 0; x < 5; ++x) CHECK(out[row * 5 + x] == static_cast<float>(in[row * 5 + 4 - x]) / 255.0f);
}

TEST_CASE("crop moves the image and fills with black, for every offset") {
  const auto in = pattern(3 * 5 * 6);
  for (int dy = -7; dy <= 7; ++dy)
    for (int dx = -7; dx <= 7; ++dx) {
      CAPTURE(dy);
      CAPTURE(dx);
      const auto out = apply({.dy = dy, .dx = dx}, raw(), 5, 6);
      for (int c = 0; c < 3; ++c)
        for (int y = 0; y < 5; ++y)
          for (int x = 0; x < 6; ++x) {
            const bool inside = y + dy >= 0 && y + dy < 5 && x + dx >= 0 && x + dx < 6;
            const float expected = inside ? static_cast<float>(in[c * 30 + (y + dy) * 6 + x + dx]) / 255.0f : 0.0f;
            REQUIRE(out[c * 30 + y * 6 + x] == expected);
          }
    }
}

TEST_CASE("each jitter does what its name says") {
  const auto plain = apply({}, raw());
  const auto clamp = [](float v) { return v < 0 ? 0.0f : v > 1 ? 1.0f : v; };
  const auto grey = [&](int i) { return 0.2989f * plain[i] + 0.587f * plain[16 + i] + 0.114f * plain[32 + i]; };
  float mean = 0;
  for (int i = 0; i < 16; ++i) mean += grey(i) / 16;
  const auto bright = apply({.brightness = 1.3f}, raw());
  const auto contrast = apply({.contrast = 0.7f}, raw());
  const auto saturated = apply({.saturation = 1.2f}, raw());
  for (int i = 0; i < 48; ++i) {
    CHECK(bright[i] == doctest::Approx(clamp(1.3f * plain[i])));
    CHECK(contrast[i] == doctest::Approx(clamp(0.7f * plain[i] + 0.3f * mean)));
    CHECK(saturated[i] == doctest::Approx(clamp(1.2f * plain[i] - 0.2f * grey(i % 16))));
  }
}

// Computed with torchvision 0.29.2 (functional.hflip, adjust_*, pad, crop, normalize on float tensors), PyTorch 2.15.0.
TEST_CASE("whole chains equal torchvision's") {
  const AugmentOpts opts = AugmentOpts::cifar();
  Augmentation a{.flip = true, .brightness = 1.25f, .contrast = 0.75f, .saturation = 1.3f};
  a.order = {Jitter::saturation, Jitter::contrast, Jitter::brightness};
  a.dy = 1, a.dx = -2;
  const std::vector<float> first{-2.524141f, -2.524141f, -0.787433f, 1.558263f,  -2.524141f, -2.524141f, 1.601523f,
                                 2.453460f,  -2.524141f, -2.524141f, 2.453460f,  2.453460f,  -2.524141f, -2.524141f,
                                 -2.524141f, -2.524141f, -2.452117f, -2.452117f, -1.078961f, 2.067165f,  -2.452117f,
                                 -2.452117f, -1.636980f, 0.527228f,  -2.452117f, -2.452117f, 2.330771f,  -1.636980f,
                                 -2.452117f, -2.452117f, -2.452117f, -2.452117f, -2.179436f, -2.179436f, -1.210758f,
                                 2.630728f,  -2.179436f, -2.179436f, 1.161665f,  -1.380014f, -2.179436f, -2.179436f,
                                 2.133240f,  -1.130450f, -2.179436f, -2.179436f, -2.179436f, -2.179436f};
  auto out = apply(a, opts);
  for (int i = 0; i < 48; ++i) CHECK(out[i] == doctest::Approx(first[i]).epsilon(1e-5));

  a.order = {Jitter::brightness, Jitter::saturation, Jitter::contrast};
  a.dy = -1, a.dx = 0;
  const std::vector<float> second{-2.524141f, -2.524141f, -2.524141f, -2.524141f, 1.687327f,  -0.326398f, -1.442612f,
                                  -1.779749f, -0.848033f, 1.504547f,  -0.585375f, 1.953452f,  1.540923f,  1.953452f,
                                  -0.926056f, 1.747420f,  -2.452117f, -2.452117f, -2.452117f, -2.452117f, -1.656508f,
                                  2.081897f,  2.081897f,  2.081897f,  -1.140325f, 2.012772f,  0.667389f,  -0.775487f,
                                  -1.698344f, 0.517374f,  2.081897f,  0.716960f,  -2.179436f, -2.179436f, -2.179436f,
                                  -2.179436f, 1.246876f,  0.759110f,  1.162643f,  1.865417f,  -1.270939f, 2.267170f,
                                  2.013948f,  1.354900f,  1.101484f,  -1.440195f, 1.675625f,  -0.205471f};
  out = apply(a, opts);
  for (int i = 0; i < 48; ++i) CHECK(out[i] == doctest::Approx(second[i]).epsilon(1e-5));
}

TEST_CASE("what is drawn has the recipe's distribution") {
  const AugmentOpts opts = AugmentOpts::cifar();
  const Rng rng(42, Purpose::augment, 3);
  const int n = 20000;
  int flips = 0, orders[27] = {}, rows[9] = {}, columns[9] = {};
  double sums[3] = {};
  float low = 9, high = 0;
  for (int i = 0; i < n; ++i) {
    const Augmentation a = draw_augmentation(opts, rng, i);
    flips += a.flip;
    ++orders[int(a.order[0]) * 9 + int(a.order[1]) * 3 + int(a.order[2])];
    ++rows[a.dy + 4], ++columns[a.dx + 4];
    sums[0] += a.brightness, sums[1] += a.contrast, sums[2] += a.saturation;
    low = std::min({low, a.brightness, a.contrast, a.saturation});
    high = std::max({high, a.brightness, a.contrast, a.saturation});
  }
  CHECK(flips == doctest::Approx(n / 2).epsilon(0.03));
  int permutations = 0;
  for (int a = 0; a < 3; ++a)
    for (int b = 0; b < 3; ++b)
      for (int c = 0; c < 3; ++c)
        if (a != b && b != c && a != c) {
          CHECK(orders[a * 9 + b * 3 + c] == doctest::Approx(n / 6).epsilon(0.06));
          permutations += orders[a * 9 + b * 3 + c];
        }
  CHECK(permutations == n);
  for (int s = 0; s < 9; ++s) {
    CHECK(rows[s] == doctest::Approx(n / 9).epsilon(0.08));
    CHECK(columns[s] == doctest::Approx(n / 9).epsilon(0.08));
  }
  for (double s : sums) CHECK(s / n == doctest::Approx(1).epsilon(0.01));
  CHECK(low >= 0.7f);
  CHECK(low < 0.701f);
  CHECK(high < 1.3f);
  CHECK(high > 1.299f);
}

TEST_CASE("an image depends on seed, epoch and index, and on nothing else") {
  const AugmentOpts opts = AugmentOpts::cifar();
  const auto in = pattern(3072);
  const auto image = [&](std::uint64_t seed, std::uint64_t epoch, std::uint64_t index) {
    std::vector<float> out(3072);
    data::augment(in.data(), out.data(), opts, Rng(seed, Purpose::augment, epoch), index);
    return out;
  };
  const auto first = image(1, 2, 3);
  CHECK(image(1, 2, 4) != first);
  CHECK(image(1, 3, 3) != first);
  CHECK(image(2, 2, 3) != first);
  CHECK(image(1, 2, 3) == first);
}

TEST_CASE("switching one step off leaves the others as they were") {
  AugmentOpts opts = AugmentOpts::cifar();
  const Rng rng(9, Purpose::augment);
  const Augmentation all = draw_augmentation(opts, rng, 11);
  opts.crop_pad = 0;
  opts.brightness = 0;
  const Augmentation some = draw_augmentation(opts, rng, 11);
  CHECK(some.dy == 0);
  CHECK(some.brightness == 1);
  CHECK(some.flip == all.flip);
  CHECK(some.contrast == all.contrast);
  CHECK(some.order == all.order);
}
