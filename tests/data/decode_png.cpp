#include "moecnn/data/decode_png.hpp"

#include <doctest/doctest.h>

#include "../io/scratch.hpp"
#include "moecnn/core/rng.hpp"
#include "peak_memory.hpp"
#include "pictures.hpp"

using namespace moecnn;
using pictures::bytes;
using pictures::pattern;

namespace {

data::RgbImage image(const std::string& file) { return data::decode_png_image(bytes(file), "a.png"); }
data::LabelMap labels(const std::string& file) { return data::decode_png_labels(bytes(file), "a.png"); }

/// Replaces width and height, with the right checksum, so that only the claim is wrong.
std::string claiming(std::string file, std::uint32_t h, std::uint32_t w) {
  for (int i = 0; i < 4; ++i) {
    file[16 + i] = static_cast<char>(w >> (24 - 8 * i));
    file[20 + i] = static_cast<char>(h >> (24 - 8 * i));
  }
  return file.replace(8, 25, pictures::png_chunk("IHDR", file.substr(16, 13)));
}

/// Puts chunks between the header and the pixels.
std::string with_chunks(std::string file, const std::string& chunks) { return file.insert(33, chunks); }

constexpr std::size_t MB = 1u << 20;

}  // namespace

TEST_CASE("RGB comes as three planes, interlaced or not") {
  const auto pixels = pattern(7 * 5 * 3);
  for (bool interlaced : {false, true}) {
    const auto got = image(pictures::png(7, 5, pixels, {.interlaced = interlaced}));
    CHECK(got.h == 7);
    CHECK(got.w == 5);
    REQUIRE(got.pixels.size() == pixels.size());
    for (int i = 0; i < 35; ++i)
      for (int c = 0; c < 3; ++c) CHECK(got.pixels[c * 35 + i] == pixels[i * 3 + c]);
  }
}

TEST_CASE("alpha is dropped, 16 bits are rounded, grey and palettes become colours") {
  const auto rgba = pattern(6 * 4);
  const auto without = image(pictures::png(2, 3, rgba, {.type = PNG_COLOR_TYPE_RGBA}));
  for (int i = 0; i < 6; ++i)
    for (int c = 0; c < 3; ++c) CHECK(without.pixels[c * 6 + i] == rgba[i * 4 + c]);

  // 0x0080 / 257 = 0.498 → 0, 0x0081 → 1, 0xff7f → 255 - 0.5 rounded up, 0xff7e → 254
  const auto deep =
      image(pictures::png(1, 2, {0, 0x80, 0, 0x81, 0xff, 0xff, 0xff, 0x7f, 0xff, 0x7e, 1, 1}, {.depth = 16}));
  CHECK(deep.pixels == std::vector<std::uint8_t>{0, 255, 1, 254, 255, 1});

  const auto grey = image(pictures::label_png(2, 2, {0, 9, 200, 255}));
  CHECK(grey.pixels == std::vector<std::uint8_t>{0, 9, 200, 255, 0, 9, 200, 255, 0, 9, 200, 255});
  const auto two_bits = image(pictures::png(1, 4, {0b00011011}, {.type = PNG_COLOR_TYPE_GRAY, .depth = 2}));
  CHECK(two_bits.pixels == std::vector<std::uint8_t>{0, 85, 170, 255, 0, 85, 170, 255, 0, 85, 170, 255});
  const auto grey_alpha = image(pictures::png(1, 2, {10, 0, 20, 255}, {.type = PNG_COLOR_TYPE_GRAY_ALPHA}));
  CHECK(grey_alpha.pixels == std::vector<std::uint8_t>{10, 20, 10, 20, 10, 20});

  const auto palette = image(
      pictures::png(1, 3, {2, 0, 1}, {.type = PNG_COLOR_TYPE_PALETTE, .palette = {{1, 2, 3}, {4, 5, 6}, {7, 8, 9}}}));
  CHECK(palette.pixels == std::vector<std::uint8_t>{7, 1, 4, 8, 2, 5, 9, 3, 6});
}

TEST_CASE("label maps keep grey values and places in the palette") {
  const auto grey = labels(pictures::label_png(2, 3, {0, 1, 18, 255, 254, 33}));
  CHECK(grey.h == 2);
  CHECK(grey.w == 3);
  CHECK(grey.values == std::vector<std::uint8_t>{0, 1, 18, 255, 254, 33});
  std::vector<png_color> colours(20, png_color{5, 5, 5});  // equal colours: only the place tells them apart
  const auto palette = labels(pictures::png(1, 4, {19, 0, 7, 3}, {.type = PNG_COLOR_TYPE_PALETTE, .palette = colours}));
  CHECK(palette.values == std::vector<std::uint8_t>{19, 0, 7, 3});
  const auto small = labels(
      pictures::png(2, 3, {0b00011000, 0b11100100}, {.type = PNG_COLOR_TYPE_GRAY, .depth = 2, .interlaced = true}));
  CHECK(small.values == std::vector<std::uint8_t>{0, 1, 2, 3, 2, 1});
}

TEST_CASE("what is no label map is refused with a hint") {
  CHECK(has(error_of([] { labels(pictures::png(1, 1, {1, 2, 3})); }), "a.png holds colours; a label map is"));
  CHECK(has(error_of([] {
              labels(pictures::png(1, 1, {1, 2, 3, 4}, {.type = PNG_COLOR_TYPE_RGBA}));
            }),
            "holds colours or transparency"));
  CHECK(has(error_of([] {
              labels(pictures::png(1, 1, {1, 2}, {.type = PNG_COLOR_TYPE_GRAY, .depth = 16}));
            }),
            "has 16 bits a pixel"));
}

TEST_CASE("sizes are checked before memory is allocated") {
  const std::string good = pictures::png(16, 16, pattern(768));
  CHECK(error_of([&] { data::decode_png_image(bytes(good), "a.png", 256); }) == "");
  CHECK(has(error_of([&] { data::decode_png_image(bytes(good), "a.png", 255); }),
            "a.png has 16 × 16 pixels, the limit is 255"));
  CHECK(has(error_of([&] { image(claiming(good, 900000, 900000)); }), "900000 × 900000 pixels, the limit is 67108864"));
  CHECK(has(error_of([&] { image(claiming(good, 8000, 8000)); }), "do not fit into its"));
  CHECK(has(error_of([&] { image(claiming(good, 2000000, 16)); }), "a.png cannot be decoded as PNG"));
  CHECK(has(error_of([&] { image(claiming(good, 0, 16)); }), "a.png cannot be decoded as PNG"));
  CHECK(has(error_of([&] { image(claiming(good, 17, 16)); }), "a.png cannot be decoded as PNG"));
}

TEST_CASE("a picture of less than eight pixels a side, interlaced: some passes have no pixels") {
  for (int h : {1, 2, 3, 5, 8})
    for (int w : {1, 2, 4, 5, 9}) {
      const auto pixels = pattern(static_cast<std::size_t>(h) * w);
      const auto rows = [&](bool interlaced) {
        return labels(pictures::png(h, w, pixels, {.type = PNG_COLOR_TYPE_GRAY, .interlaced = interlaced})).values;
      };
      CHECK(rows(true) == pixels);
      CHECK(rows(false) == pixels);
    }
}

TEST_CASE("texts and profiles are passed over, however large they are when inflated") {
  const std::string good = pictures::png(16, 16, pattern(768)), deflated = pictures::deflated_text(7 * MB);
  const std::string text = pictures::png_chunk("zTXt", deflated);
  const std::string utf8 = pictures::png_chunk("iTXt", std::string("name\0\1\0\0\0", 9) + deflated.substr(6));
  const std::string profile = pictures::png_chunk("iCCP", deflated);
  std::string hostile;
  for (int i = 0; i < 20; ++i) hostile += text + utf8;
  const std::string file = with_chunks(good, profile + hostile);
  CHECK(file.size() < MB);
  std::vector<std::uint8_t> seen;
  const auto grown = peak_growth([&] { seen = image(file).pixels; });
  CHECK(seen == image(good).pixels);
  if (grown) CHECK(*grown < 16 * MB);  // inflated they have 280 MB
  // The same behind the pixels.
  std::string behind = good;
  behind.insert(behind.size() - 12, hostile);
  const auto grown_behind = peak_growth([&] { seen = image(behind).pixels; });
  CHECK(seen == image(good).pixels);
  if (grown_behind) CHECK(*grown_behind < 16 * MB);
}

TEST_CASE("a large picture that compresses well takes its own size in memory, once") {
  constexpr int side = 4096;
  for (bool interlaced : {false, true}) {
    const std::string file = pictures::png(side, side, std::vector<std::uint8_t>(side * side / 8),
                                           {.type = PNG_COLOR_TYPE_GRAY, .depth = 1, .interlaced = interlaced});
    CHECK(file.size() < MB / 8);
    data::RgbImage seen;
    const auto grown = peak_growth([&] { seen = image(file); });
    CHECK(seen.pixels == std::vector<std::uint8_t>(3 * side * side));
    if (grown) CHECK(*grown < 48 * MB + 8 * MB);
  }
  const std::string larger =
      pictures::png(8193, 8192, std::vector<std::uint8_t>(8193 * 1024), {.type = PNG_COLOR_TYPE_GRAY, .depth = 1});
  std::string error;
  const auto grown = peak_growth([&] { error = error_of([&] { image(larger); }); });
  CHECK(has(error, "a.png has 8192 × 8193 pixels, the limit is 67108864 in all; scale it down, or raise the limit"));
  if (grown) CHECK(*grown < 8 * MB);
}

TEST_CASE("a file cut anywhere is an error") {
  for (bool interlaced : {false, true}) {
    const std::string good = pictures::png(9, 11, pattern(300), {.interlaced = interlaced});
    for (std::size_t n = 1; n < good.size(); ++n) {
      const std::string error = error_of([&] { image(good.substr(0, n)); });
      REQUIRE(has(error, "a.png cannot be decoded as PNG: "));
    }
    CHECK(error_of([&] { image(good); }) == "");
  }
}

TEST_CASE("flipped bits give an error or a picture of the claimed size, never anything else") {
  const std::string files[] = {
      pictures::png(20, 30, pattern(1800)),
      pictures::png(20, 30, pattern(600),
                    {.type = PNG_COLOR_TYPE_PALETTE, .interlaced = true, .palette = std::vector<png_color>(256)})};
  const Rng rng(1, Purpose::other);
  int refused = 0, read = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string bad = files[round % 2];
    const int flips = 1 + static_cast<int>(rng.below(3, round, 0));
    for (int i = 0; i < flips; ++i) {
      // A third of the flips hit the header.
      const auto at = rng.below(rng.below(3, round, 3 * i + 1) == 0 ? 40 : bad.size(), round, 3 * i + 2);
      bad[at] = static_cast<char>(bad[at] ^ 1 << rng.below(8, round, 3 * i + 3));
    }
    try {
      const auto got = data::decode_png_image(bytes(bad), "a.png", 1 << 20);
      REQUIRE(got.pixels.size() == 3 * got.plane());
      const auto map = data::decode_png_labels(bytes(bad), "a.png", 1 << 20);
      REQUIRE(map.values.size() == got.plane());
      ++read;
    } catch (const Error&) {
      ++refused;
    }
  }
  CHECK(refused > 2900);  // every byte is covered by a checksum; only flips that undo each other pass
  CHECK(read + refused == 3000);
}
