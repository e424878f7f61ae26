#include "moecnn/report/png.hpp"

#include "io/scratch.hpp"

#include <doctest/doctest.h>

#include <random>

#include "well_formed.hpp"

using namespace moecnn::report;
using namespace well_formed;

namespace {
Image noise(int width, int height, int channels, unsigned seed) {
  std::mt19937 random(seed);
  Image image{width, height, channels, {}};
  for (int i = 0; i < width * height * channels; ++i) image.pixels.push_back(static_cast<std::uint8_t>(random()));
  return image;
}

Image decode(const std::vector<std::uint8_t>& bytes, int channels) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  REQUIRE(png_image_begin_read_from_memory(&png, bytes.data(), bytes.size()));
  png.format = channels == 4 ? PNG_FORMAT_RGBA : PNG_FORMAT_RGB;
  Image image{int(png.width), int(png.height), channels, {}};
  image.pixels.resize(PNG_IMAGE_SIZE(png));
  REQUIRE(png_image_finish_read(&png, nullptr, image.pixels.data(), 0, nullptr));
  return image;
}
}  // namespace

TEST_CASE("PNG files decode to the same pixels") {
  for (const int channels : {3, 4})
    for (const auto& [w, h] : {std::pair{1, 1}, {32, 32}, {7, 3}, {1, 200}}) {
      const Image image = noise(w, h, channels, 3);
      const Image back = decode(encode_png(image), channels);
      CHECK(back.width == w);
      CHECK(back.height == h);
      CHECK(back.pixels == image.pixels);
    }
  CHECK(encode_png(noise(32, 32, 3, 1)).size() < 32 * 32 * 3 + 200);
}

TEST_CASE("images whose bytes do not fit their size are refused") {
  CHECK_THROWS_WITH(encode_png({2, 2, 3, {1, 2, 3}}), "image of 2x2x3 holds 3 bytes, expected 12");
  CHECK_THROWS(encode_png({}));
  CHECK_THROWS(encode_png({1, 1, 2, {1, 2}}));
}

TEST_CASE("PNG files on the disk") {
  const Scratch scratch;
  const Image image = noise(9, 5, 3, 4);
  write_png(image, scratch / "a.png");
  const std::string text = bytes_of(scratch / "a.png");
  CHECK(decode({text.begin(), text.end()}, 3).pixels == image.pixels);
  CHECK_THROWS_WITH_AS(write_png(image, scratch / "none" / "a.png"), doctest::Contains("none/a.png"), moecnn::Error);
}

TEST_CASE("base64 of RFC 4648") {
  const auto encode = [](std::string_view s) {
    return base64({reinterpret_cast<const std::uint8_t*>(s.data()), s.size()});
  };
  CHECK(encode("") == "");
  CHECK(encode("f") == "Zg==");
  CHECK(encode("fo") == "Zm8=");
  CHECK(encode("foo") == "Zm9v");
  CHECK(encode("foobar") == "Zm9vYmFy");
  CHECK(encode("\xfb\xff\xfe") == "+//+");
}

TEST_CASE("a grid repeats pixels and leaves transparent gaps") {
  const std::vector<Image> images{noise(4, 3, 3, 1), noise(4, 3, 3, 2), noise(4, 3, 3, 3)};
  const Image sheet = image_grid(images, 2, 2, 1);
  CHECK(sheet.width == 2 * 8 + 1);
  CHECK(sheet.height == 2 * 6 + 1);
  const auto pixel = [&](int x, int y) { return &sheet.pixels[(std::size_t(y) * sheet.width + x) * 4]; };
  for (int i = 0; i < 3; ++i)
    for (int y = 0; y < 6; ++y)
      for (int x = 0; x < 8; ++x) {
        const auto* is = pixel(i % 2 * 9 + x, i / 2 * 7 + y);
        const auto* wants = &images[i].pixels[(y / 2 * 4 + x / 2) * 3];
        CHECK(std::equal(wants, wants + 3, is));
        CHECK(is[3] == 255);
      }
  CHECK(pixel(8, 0)[3] == 0);    // the gap
  CHECK(pixel(10, 10)[3] == 0);  // the place of the missing fourth
  CHECK_THROWS(image_grid({}, 2));
  CHECK_THROWS(image_grid(std::vector<Image>{noise(4, 3, 3, 1), noise(3, 4, 3, 1)}, 2));
}

TEST_CASE("an image tag carries its picture and escapes its text") {
  const auto tag = image_tag(noise(8, 8, 3, 1), "a \"cat\"", 2).html;
  CHECK(markup_fault(tag) == "");
  CHECK(has(tag, "alt=\"a &quot;cat&quot;\" width=\"4\" height=\"4\" src=\"data:image/png;base64,iVBOR"));
}
