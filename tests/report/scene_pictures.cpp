#include "moecnn/report/scene_pictures.hpp"

#include <doctest/doctest.h>

#include "pixel_at.hpp"

using namespace moecnn;
using namespace moecnn::report;

namespace {

const std::vector<Rgb> palette{{10, 20, 30}, {200, 100, 0}};

}  // namespace

TEST_CASE("photos: planes become pixels, sizes change in proportion") {
  const data::RgbImage photo{2, 2, {0, 100, 200, 100, 1, 2, 3, 4, 50, 50, 50, 50}};
  const Image same = photo_picture(photo);
  CHECK(same.width == 2);
  CHECK(same.channels == 3);
  CHECK(pixel_at(same, 0, 1) == Rgb{100, 2, 50});
  CHECK(pixel_at(same, 1, 0) == Rgb{200, 3, 50});
  const Image small = photo_picture(photo, 1);
  CHECK(pixel_at(small, 0, 0) == Rgb{100, 3, 50});  // means
  CHECK(photo_picture(photo, {6, 4}).pixels.size() == 3 * 24);
  CHECK(fit_width({1024, 2048}, 512) == Size2(256, 512));
  CHECK(fit_width({10, 20}, 512) == Size2(10, 20));
}

TEST_CASE("label maps in colours, of their own size and of another") {
  const data::LabelMap labels{1, 3, {0, 1, 255}};
  const Image image = label_picture(labels, palette);
  CHECK(image.height == 1);
  CHECK(pixel_at(image, 0, 0) == palette[0]);
  CHECK(pixel_at(image, 0, 1) == palette[1]);
  CHECK(pixel_at(image, 0, 2) == no_class_colour);
  const Image large = label_picture(labels, palette, {2, 6});
  CHECK(pixel_at(large, 1, 1) == palette[0]);
  CHECK(pixel_at(large, 1, 2) == palette[1]);
  CHECK(pixel_at(large, 0, 5) == no_class_colour);
  CHECK_THROWS_WITH_AS(label_picture(data::LabelMap{2, 2, {0}}, palette), doctest::Contains("holds 1 values"), Error);
}

TEST_CASE("labels over a photo") {
  const data::RgbImage photo{1, 3, std::vector<std::uint8_t>(9, 100)};
  const Image image = overlay(photo_picture(photo), {1, 3, {0, 1, 255}}, palette, 0.5);
  CHECK(pixel_at(image, 0, 0) == Rgb{55, 60, 65});
  CHECK(pixel_at(image, 0, 1) == Rgb{150, 100, 50});
  CHECK(pixel_at(image, 0, 2) == Rgb{100, 100, 100});
  CHECK_THROWS_WITH_AS(overlay(Image{1, 1, 4, {0, 0, 0, 0}}, {1, 1, {0}}, palette), doctest::Contains("4 channels"),
                       Error);
}
