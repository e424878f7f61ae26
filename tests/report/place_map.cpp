#include "moecnn/report/place_map.hpp"

#include <doctest/doctest.h>

#include "well_formed.hpp"

using namespace moecnn;
using namespace moecnn::report;
using namespace well_formed;

namespace {

std::string draw(const Matrix& shares, int columns) {
  const std::string html = place_maps(shares, {.label = "places", .scale_title = "share", .columns = columns}).html;
  CHECK(markup_fault(html) == "");
  CHECK_FALSE(has_nan(html));
  return html;
}

}  // namespace

TEST_CASE("a map of the grid for every expert, on one scale") {
  Matrix shares(6, 2);
  for (int i = 0; i < 6; ++i) shares(i, 0) = i / 10., shares(i, 1) = 1 - i / 10.;
  shares(5, 1) = std::numeric_limits<double>::quiet_NaN();
  const auto html = draw(shares, 3);
  CHECK(count(html, "class=\"heat\"") == 2);
  CHECK(count(html, "<title>") == 11);
  CHECK(has(html, "expert 0, row 2, column 3: 50\u202F%"));
  CHECK(has(html, "expert 1, row 1, column 1: 100\u202F%"));
  CHECK(count(html, "<rect class=\"h11\"") == 2);  // the largest share, and the end of the scale
}

TEST_CASE("nothing to show, and places that make no grid") {
  Matrix nothing(4, 1);
  nothing.fill(std::numeric_limits<double>::quiet_NaN());
  CHECK(has(draw(nothing, 2), "nothing recorded"));
  CHECK_THROWS_WITH_AS(draw(nothing, 3), doctest::Contains("4 places are no whole number of rows of 3"), Error);
}
