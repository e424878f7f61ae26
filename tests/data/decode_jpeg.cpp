#include "moecnn/data/decode_jpeg.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "../io/scratch.hpp"
#include "moecnn/core/rng.hpp"
#include "peak_memory.hpp"
#include "pictures.hpp"

using namespace moecnn;
using pictures::bytes;

namespace {

data::RgbImage image(const std::string& file) { return data::decode_jpeg_image(bytes(file), "a.jpg"); }

/// Replaces the size in the frame header (marker 0xff 0xc0 or 0xff 0xc2).
std::string claiming(std::string file, int h, int w) {
  for (std::size_t i = 0; i + 9 < file.size(); ++i)
    if (file[i] == '\xff' && (file[i + 1] == '\xc0' || file[i + 1] == '\xc2')) {
      file[i + 5] = static_cast<char>(h >> 8), file[i + 6] = static_cast<char>(h);
      file[i + 7] = static_cast<char>(w >> 8), file[i + 8] = static_cast<char>(w);
      return file;
    }
  return file;
}

}  // namespace

TEST_CASE("baseline, progressive and grey files decode to about what was stored") {
  const auto rgb = pictures::ramp(37, 53);
  for (bool progressive : {false, true}) {
    const auto got = image(pictures::jpeg(37, 53, rgb, {.progressive = progressive}));
    CHECK(got.h == 37);
    CHECK(got.w == 53);
    REQUIRE(got.pixels.size() == 3 * 37 * 53);
    for (int i = 0; i < 37 * 53; ++i)
      for (int c = 0; c < 3; ++c) REQUIRE(std::abs(got.pixels[c * 37 * 53 + i] - rgb[i * 3 + c]) <= 12);
  }
  const auto grey = image(pictures::jpeg(8, 8, std::vector<std::uint8_t>(64, 77), {.space = JCS_GRAYSCALE}));
  CHECK(grey.pixels == std::vector<std::uint8_t>(192, 77));
}

TEST_CASE("files for printing are refused") {
  const auto file = pictures::jpeg(8, 8, std::vector<std::uint8_t>(256, 77), {.space = JCS_CMYK});
  CHECK(has(error_of([&] { image(file); }), "a.jpg is a JPEG for printing"));
}

TEST_CASE("sizes are checked before memory is allocated") {
  const std::string good = pictures::jpeg(16, 16, pictures::ramp(16, 16));
  CHECK(error_of([&] { data::decode_jpeg_image(bytes(good), "a.jpg", 256); }) == "");
  CHECK(has(error_of([&] { data::decode_jpeg_image(bytes(good), "a.jpg", 255); }),
            "a.jpg has 16 × 16 pixels, the limit is 255"));
  CHECK(has(error_of([&] { image(claiming(good, 65500, 65500)); }), "the limit is 67108864"));
  CHECK(has(error_of([&] { image(claiming(good, 8000, 8000)); }), "do not fit into its"));
  CHECK(has(error_of([&] { image(claiming(good, 0, 16)); }), "a.jpg cannot be decoded as JPEG"));
  CHECK(has(error_of([&] { image(claiming(good, 64, 64)); }), "a.jpg cannot be decoded as JPEG: "));
}

TEST_CASE("a file cut anywhere is an error, although libjpeg would show its beginning") {
  for (bool progressive : {false, true}) {
    const std::string good = pictures::jpeg(24, 40, pictures::ramp(24, 40), {.progressive = progressive});
    for (std::size_t n = 1; n < good.size(); ++n)
      REQUIRE(has(error_of([&] { image(good.substr(0, n)); }), "a.jpg cannot be decoded as JPEG: "));
    CHECK(error_of([&] { image(good); }) == "");
    // Bytes behind the end are no damage.
    CHECK(error_of([&] { image(good + "trailing"); }) == "");
  }
}

TEST_CASE("a file of thousands of scans is refused") {
  // A file with a scan (0xff 0xda …) per colour; the last is repeated.
  const std::string good = pictures::jpeg(16, 16, pictures::ramp(16, 16), {.scan_per_colour = true});
  CHECK(error_of([&] { image(good); }) == "");
  const std::size_t last = good.rfind("\xff\xda");
  std::string bad = good.substr(0, good.size() - 2);
  for (int i = 0; i < 2000; ++i) bad += good.substr(last, good.size() - 2 - last);
  CHECK(has(error_of([&] { image(bad + "\xff\xd9"); }), "more than 100 scans"));
}

TEST_CASE("large pictures take their own size in memory, and progressive ones may need too much") {
  constexpr int side = 2560;
  constexpr std::size_t MB = 1u << 20, pixels = std::size_t{side} * side;
  const auto rgb = pictures::ramp(side, side);
  const std::string plain = pictures::jpeg(side, side, rgb);
  const std::string progressive = pictures::jpeg(side, side, rgb, {.progressive = true, .full_colours = true});
  std::string error;
  const auto decode = [&](const std::string& file, long long limit) {
    return peak_growth([&] { error = error_of([&] { data::decode_jpeg_image(bytes(file), "a.jpg", limit); }); });
  };
  const auto grown = decode(plain, pixels);
  CHECK(error == "");
  if (grown) CHECK(*grown < 3 * pixels + 12 * MB);
  const auto refused = decode(progressive, pixels);
  CHECK(
      has(error, "a.jpg is a progressive JPEG of 2560 × 2560 pixels, which takes more memory than a limit of 6553600"));
  if (refused) CHECK(*refused < 3 * pixels + 12 * MB);  // its coefficients would be 6 bytes for each pixel
  decode(progressive, 2 * pixels);
  CHECK(error == "");
}

TEST_CASE("flipped bits give an error or a picture of the claimed size, never anything else") {
  const std::string files[] = {pictures::jpeg(40, 56, pictures::pattern(6720)),
                               pictures::jpeg(40, 56, pictures::ramp(40, 56), {.progressive = true})};
  const Rng rng(2, Purpose::other);
  int refused = 0, read = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string bad = files[round % 2];
    const int flips = 1 + static_cast<int>(rng.below(3, round, 0));
    for (int i = 0; i < flips; ++i) {
      const auto at = rng.below(bad.size(), round, 2 * i + 1);
      bad[at] = static_cast<char>(bad[at] ^ 1 << rng.below(8, round, 2 * i + 2));
    }
    try {
      const auto got = data::decode_jpeg_image(bytes(bad), "a.jpg", 1 << 20);
      REQUIRE(got.pixels.size() == 3 * got.plane());
      ++read;
    } catch (const Error&) {
      ++refused;
    }
  }
  CHECK(refused > 500);
  CHECK(read > 100);
}
