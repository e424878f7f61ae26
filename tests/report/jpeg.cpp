#include "moecnn/report/jpeg.hpp"

#include "io/scratch.hpp"
#include "moecnn/data/decode_jpeg.hpp"

#include <doctest/doctest.h>

#include "well_formed.hpp"

using namespace moecnn;
using namespace moecnn::report;

namespace {

/// Colours that change slowly, as photographs mostly do.
Image slopes(int width, int height) {
  Image image{width, height, 3, {}};
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (const int v : {255 * x / width, 255 * y / height, 128}) image.pixels.push_back(static_cast<std::uint8_t>(v));
  return image;
}

}  // namespace

TEST_CASE("JPEG files decode to nearly the same pixels") {
  for (const auto& [w, h] : {std::pair{1, 1}, {64, 48}, {33, 7}}) {
    const Image image = slopes(w, h);
    const auto bytes = encode_jpeg(image, 95);
    const data::RgbImage back = data::decode_jpeg_image(bytes, "test");
    REQUIRE(back.w == w);
    REQUIRE(back.h == h);
    const std::size_t plane = back.plane();
    double error = 0;
    for (std::size_t i = 0; i < plane; ++i)
      for (std::size_t c = 0; c < 3; ++c)
        error += std::abs(static_cast<int>(image.pixels[3 * i + c]) - static_cast<int>(back.pixels[c * plane + i]));
    CHECK(error / static_cast<double>(3 * plane) < 4);
  }
  CHECK(encode_jpeg(slopes(64, 64), 20).size() < encode_jpeg(slopes(64, 64), 95).size());
}

TEST_CASE("images that JPEG cannot hold are errors") {
  CHECK_THROWS_WITH_AS(encode_jpeg({1, 1, 4, {1, 2, 3, 4}}), doctest::Contains("4 channels"), Error);
  CHECK_THROWS_WITH_AS(encode_jpeg({2, 1, 3, {1, 2, 3}}), doctest::Contains("holds 3 bytes, expected 6"), Error);
  CHECK_THROWS_WITH_AS(encode_jpeg(slopes(4, 4), 0), doctest::Contains("expected 1 to 100"), Error);
  CHECK_THROWS_WITH_AS(encode_jpeg(slopes(65'536, 1)), doctest::Contains("cannot encode"), Error);  // libjpeg's limit
}

TEST_CASE("a file, and a picture that a click enlarges") {
  const Scratch dir;
  write_jpeg(slopes(40, 20), dir / "a.jpg");
  const std::string bytes = bytes_of(dir / "a.jpg");
  CHECK(bytes.starts_with("\xff\xd8"));
  const Markup m = zoomable(encode_jpeg(slopes(40, 20)), "a \"map\"");
  CHECK(well_formed::markup_fault(m.html).empty());
  CHECK(m.html.find("data:image/jpeg;base64,/9j/") != std::string::npos);
  CHECK(m.html.find("a &quot;map&quot;") != std::string::npos);
}
