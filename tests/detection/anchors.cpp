#include "moecnn/detection/anchors.hpp"

#include "io/scratch.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using namespace moecnn::detection;

TEST_CASE("anchors of an image of 608 × 1024") {
  const Anchors a({608, 1024});
  CHECK(a.size() == 116712);
  CHECK(a.shapes() == 9);
  REQUIRE(a.levels().size() == 5);
  CHECK(a.levels()[0].grid == Size2(76, 128));
  CHECK(a.levels()[4].grid == Size2(5, 8));
  CHECK(a.levels()[1].first == 9u * 76 * 128);
  CHECK(a.level_of(0) == 0);
  CHECK(a.level_of(a.levels()[3].first - 1) == 2);
  CHECK(a.level_of(a.levels()[3].first) == 3);
  CHECK(a.level_of(a.size() - 1) == 4);
  // The square of the second scale in column 2, row 1 of P3: its centre is at (20, 12), its side 32 · 2^(1/3).
  const Box& box = a[9 * (128 + 2) + 4];
  const float half = 16 * 1.2599210498948732f;
  CHECK(box.x1 == doctest::Approx(20 - half));
  CHECK(box.y1 == doctest::Approx(12 - half));
  CHECK(box.x2 == doctest::Approx(20 + half));
  CHECK(box.y2 == doctest::Approx(12 + half));
  // The ratio is height / width.
  CHECK(a[0].height() == doctest::Approx(a[0].width() / 2));
  CHECK(a[8].height() == doctest::Approx(a[8].width() * 2));
}

TEST_CASE("torchvision's anchors are whole pixels") {
  const Anchors a({800, 1333}, AnchorOpts::torchvision());
  for (const Box& b : a.boxes()) {
    REQUIRE(b.x1 == std::nearbyint(b.x1));
    REQUIRE(b.y2 == std::nearbyint(b.y2));
  }
  // Squares have the sides 32, 40, 50 …; 645 / 2 is rounded to even.
  CHECK(a[3] == Box{-16, -16, 16, 16});
  CHECK(a[4] == Box{-20, -20, 20, 20});
  CHECK(a[5] == Box{-25, -25, 25, 25});
  CHECK(a[a.levels()[4].first + 4] == Box{-322, -322, 322, 322});
  CHECK(a[9 + 3] == Box{-9, -16, 23, 16});  // 1333 / 167 = 7.98, so columns are 7 pixels apart
}

TEST_CASE("corners per column and row are those of the boxes") {
  for (const auto& opts : {AnchorOpts::yhenon(), AnchorOpts::torchvision()}) {
    const Anchors a({65, 131}, opts);
    for (const auto& level : a.levels())
      for (int y = 0; y < level.grid.h; ++y)
        for (int x = 0; x < level.grid.w; ++x)
          for (int s = 0; s < a.shapes(); ++s) {
            const std::size_t column = s * level.grid.w + x, row = s * level.grid.h + y;
            REQUIRE(a[level.first + (y * level.grid.w + x) * 9 + s] ==
                    Box{level.x1[column], level.y1[row], level.x2[column], level.y2[row]});
          }
  }
}

TEST_CASE("anchors that cannot be made") {
  CHECK(has(error_of([] { Anchors({0, 10}); }), "an image of 0 × 10 pixels"));
  CHECK(has(error_of([] { Anchors({10, -1}); }), "an image of 10 × -1 pixels"));
  CHECK(has(error_of([] { Anchors({10, 2147483647}); }), "expected sides of 1 to 1048576"));
  CHECK(has(error_of([] { Anchors(10, {.first_level = 4, .last_level = 3}); }), "levels 4 to 3"));
  CHECK(has(error_of([] { Anchors(10, {.ratios = {1, -2}}); }), "a ratio or scale of -2"));
  CHECK(has(error_of([] { Anchors(10, {.scales = {NAN}}); }), "a ratio or scale of nan"));
  CHECK(has(error_of([] { Anchors(10, {.scales = {}}); }), "3 ratios and 0 scales"));
  CHECK(has(error_of([] { Anchors(10, {.base = INFINITY}); }), "a base of inf"));
  CHECK(has(error_of([] { Anchors(1 << 20); }), "more than 2^31 anchors"));
}
