#include "moecnn/report/sparkline.hpp"

#include <doctest/doctest.h>

#include "well_formed.hpp"

using namespace moecnn::report;
using namespace well_formed;

TEST_CASE("a sparkline needs two finite values") {
  const double nan_value = std::numeric_limits<double>::quiet_NaN();
  CHECK(sparkline({}, 0, "s").html.empty());
  CHECK(sparkline({1}, 0, "s").html.empty());
  CHECK(sparkline({1, nan_value}, 0, "s").html.empty());
  for (const std::vector<double>& values : {std::vector<double>{1, nan_value, 2}, {0, 0}, {-1, -1, -1}, {5, 900}}) {
    const auto svg = sparkline(values, 3, "a <b>", 10, 1).html;
    CHECK(markup_fault(svg) == "");
    CHECK_FALSE(has_nan(svg));
    CHECK(has(svg, "class=\"spark\""));
  }
}
