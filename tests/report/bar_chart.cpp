#include "moecnn/report/bar_chart.hpp"

#include <doctest/doctest.h>

#include "well_formed.hpp"

using namespace moecnn::report;
using namespace well_formed;

namespace {
constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();

std::string draw(const std::vector<std::string>& names, const std::vector<BarSeries>& series, BarChart options) {
  options.label = "bars";
  const std::string svg = bar_chart(names, series, options).html;
  CHECK(markup_fault(svg) == "");
  CHECK_FALSE(has_nan(svg));
  return svg;
}
}  // namespace

TEST_CASE("bars carry their values in both directions") {
  for (const Direction direction : {Direction::horizontal, Direction::vertical}) {
    const auto svg = draw(
        {"zero", "one"}, {{"load", {10, 30}}, {"importance", {20, 20}}},
        {.value_title = "share", .unit = " %", .direction = direction, .reference = 25.0, .reference_name = "even"});
    CHECK(count(svg, "<rect class=\"fl ") == 4);
    CHECK(has(svg, ">30.0 %<"));
    CHECK(has(svg, ">even<"));
    CHECK(has(svg, ">share<"));
    CHECK(has(svg, "one, load: 30.0 %"));
  }
}

TEST_CASE("degenerate bars") {
  for (const Direction direction : {Direction::horizontal, Direction::vertical}) {
    CHECK(has(draw({}, {}, {.direction = direction}), "nothing recorded"));
    CHECK(has(draw({"a"}, {{"x", {nan_value}}}, {.direction = direction}), "nothing recorded"));
    CHECK(has(draw({"a"}, {{"x", {0}}}, {.direction = direction}), "<rect"));
    CHECK(has(draw({"a", "b"}, {{"x", {nan_value, -2}}}, {.direction = direction}), ">−2.0<"));
    CHECK_FALSE(has(draw({"<b>"}, {{"<i>", {1}}}, {.direction = direction}), "<b>"));
  }
}

TEST_CASE("bars of the wrong size are refused") {
  CHECK_THROWS_WITH(bar_chart({"a"}, {{"x", {1, 2}}}, {.label = "use"}),
                    "bar chart 'use': 'x' has 2 values for 1 categories");
}

TEST_CASE("the line of reference does not run through a number") {
  const auto bars = [](double value) {
    return bar_chart({"a", "b"}, {{"load", {value, 80}}}, {.label = "l", .unit = " %", .reference = 50}).html;
  };
  CHECK(count(bars(49), "class=\"ground\"") == 1);
  CHECK(count(bars(10), "class=\"ground\"") == 0);
}
