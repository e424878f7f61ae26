#include "moecnn/report/box_picture.hpp"

#include <doctest/doctest.h>

#include "well_formed.hpp"

using namespace moecnn;
using namespace moecnn::report;

TEST_CASE("boxes have the colour, name and score of their class") {
  data::RgbImage image{6, 8, {}};
  for (int i = 0; i < 3 * 48; ++i) image.pixels.push_back(static_cast<std::uint8_t>(i));
  const Image pixels = photo_picture(image);
  CHECK(pixels.pixels[0] == 0);
  CHECK(pixels.pixels[1] == 48);  // green of the first pixel
  const std::vector<detection::Detection> boxes{{{1, 2, 5, 4.5f}, 1, 0.987f}, {{0, 0, 2, 2}, 0, 0}};
  const std::string html = box_picture(image, boxes, {"red & round", "cell"}).html;
  CHECK(well_formed::markup_fault(html) == "");
  const auto shows = [&](const char* text) { return html.find(text) != std::string::npos; };
  CHECK(shows("class=\"c1\""));
  CHECK(shows("x=\"1\" y=\"2\" width=\"4\" height=\"2.5\""));
  CHECK(shows(">cell 99 %<"));
  CHECK(shows(">red &amp; round<"));
  CHECK(shows("2 objects"));
  CHECK_THROWS_WITH_AS(box_picture(image, boxes, {"one"}), doctest::Contains("class 1 with names of 1"), Error);
}

TEST_CASE("boxes look as they are told, and the photo is as wide as it is told") {
  const data::RgbImage image{40, 80, std::vector<std::uint8_t>(3 * 40 * 80, 100)};
  const std::vector<detection::Detection> boxes{{.box = {1, 2, 50, 30}, .score = 0.5f, .level = 4},
                                                {.box = {}, .level = 5}};
  const auto mark = [](const detection::Detection& d) {
    return BoxMark{d.level, d.level == 4 ? "P4" : "", d.level == 4 ? "expert 2 & 3" : ""};
  };
  const std::string whole = box_picture(image, boxes, mark).html, small = box_picture(image, boxes, mark, 20).html;
  CHECK(well_formed::markup_fault(whole) == "");
  const auto shows = [&](const char* text) { return whole.find(text) != std::string::npos; };
  CHECK(shows("class=\"c4\"><title>expert 2 &amp; 3</title><rect"));
  CHECK(shows(">P4<"));
  CHECK(shows("class=\"c5\"><rect"));
  CHECK(well_formed::count(whole, "<text") == 1);
  CHECK(small.size() < whole.size());
  CHECK(small.find("viewBox=\"0 0 80 40\"") != std::string::npos);
}
