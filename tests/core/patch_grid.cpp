#include "moecnn/core/patch_grid.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

using namespace moecnn;

TEST_CASE("patch grid: as many patches as asked for, or fewer where those cover the map") {
  const auto even = PatchGrid::of_count({12, 9}, 3, 1);
  CHECK(even.patch == Size2(4, 3));
  CHECK(even.haloed() == Size2(6, 5));
  CHECK(even.count() == 9);
  CHECK(even.origin(5) == Size2(4, 6));

  const auto odd = PatchGrid::of_count({10, 7}, {3, 2});
  CHECK(odd.patch == Size2(4, 4));
  CHECK(odd.inside(5) == Size2(2, 3));

  // 5 pixels in 4 parts are patches of 2, and three of them cover the map: no fourth, all of zeros.
  const auto fewer = PatchGrid::of_count({5, 8}, 4);
  CHECK(fewer.rows() == 3);
  CHECK(fewer.columns() == 4);
}

TEST_CASE("patch grid: every pixel lies in one patch, every patch holds a pixel") {
  for (int h = 1; h <= 9; ++h)
    for (int size = 1; size <= 11; ++size) {
      const auto grid = PatchGrid::of_size({h, 7}, {size, 3});
      std::vector<int> pixels(static_cast<std::size_t>(grid.count()), 0);
      for (int y = 0; y < h; ++y)
        for (int x = 0; x < 7; ++x) {
          const int i = grid.of_pixel(y, x);
          const Size2 at = grid.origin(i), in = grid.inside(i);
          CHECK((y >= at.h && y < at.h + in.h && x >= at.w && x < at.w + in.w));
          ++pixels[static_cast<std::size_t>(i)];
        }
      for (int i = 0; i < grid.count(); ++i)
        CHECK(pixels[static_cast<std::size_t>(i)] == grid.inside(i).h * grid.inside(i).w);
      CHECK(*std::min_element(pixels.begin(), pixels.end()) > 0);
    }
  // An exact multiple gets no extra patches.
  CHECK(PatchGrid::of_size({384, 384}, 128).count() == 9);
}

TEST_CASE("patch grid: impossible grids are refused") {
  CHECK_THROWS_WITH_AS(PatchGrid::of_count({4, 8}, 5),
                       "a map of 4x8 pixels cannot be cut into 5x5 patches; choose 1 up to one patch per pixel", Error);
  CHECK_THROWS_AS(PatchGrid::of_count({4, 8}, 0), Error);
  CHECK_THROWS_AS(PatchGrid::of_size({4, 8}, {0, 1}), Error);
  CHECK_THROWS_AS(PatchGrid::of_size({4, 8}, 2, {-1, 0}), Error);
}
