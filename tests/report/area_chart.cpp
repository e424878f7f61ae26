#include "moecnn/report/area_chart.hpp"

#include <doctest/doctest.h>

#include "well_formed.hpp"

using namespace moecnn::report;
using namespace well_formed;

namespace {
constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();

std::string draw(std::vector<double> x, std::vector<std::vector<double>> rows, const std::vector<std::string>& names) {
  const std::string svg =
      stacked_areas(std::move(x), std::move(rows), names, {.label = "load", .x_title = "epoch"}).html;
  CHECK(markup_fault(svg) == "");
  CHECK_FALSE(has_nan(svg));
  return svg;
}
}  // namespace

TEST_CASE("areas show shares of counts, one band per name") {
  const auto svg = draw({0, 1, 2}, {{1, 1}, {30, 10}, {10, 30}}, {"expert 0", "expert 1"});
  CHECK(count(svg, "<path class=\"fl band") == 2);
  CHECK(has(svg, ">expert 0 25\u202F%<"));
  CHECK(has(svg, ">expert 1 75\u202F%<"));
}

TEST_CASE("degenerate rows of areas") {
  CHECK(has(draw({}, {}, {"a"}), "nothing recorded"));
  CHECK(has(draw({1}, {{0, 0}}, {"a", "b"}), "nothing recorded"));
  CHECK(has(draw({1}, {{1, 3}}, {"a", "b"}), ">b 75\u202F%<"));
  CHECK(has(draw({1, 2, 3}, {{1, 3}, {nan_value, 0}, {1, 1}}, {"a", "b"}), ">b 50\u202F%<"));
  CHECK(has(draw({1, 2}, {{1, 3}, {1, 1}}, {"<i>", "b"}), "&lt;i&gt;"));
}

TEST_CASE("long histories are averaged down, the last point stays exact") {
  std::vector<double> x;
  std::vector<std::vector<double>> rows;
  for (int i = 0; i < 5000; ++i) x.push_back(i), rows.push_back({1, 1});
  rows.back() = {9, 1};
  const auto svg = draw(x, rows, {"a", "b"});
  CHECK(svg.size() < 20000);
  CHECK(has(svg, ">a 90\u202F%<"));
}

TEST_CASE("thirty-two experts get a legend") {
  std::vector<std::string> names(32, "e");
  CHECK(has(draw({0, 1}, {std::vector<double>(32, 1), std::vector<double>(32, 1)}, names), "class=\"legend\""));
}

TEST_CASE("areas of the wrong size are refused") {
  CHECK_THROWS_WITH(stacked_areas({1}, {{1, 2, 3}}, {"a", "b"}, {.label = "load"}),
                    "area chart 'load' has a row of 3 values for 2 names; expected equally many");
}

TEST_CASE("many bands have no list that is longer than the chart, but each its name on pointing") {
  for (const std::size_t bands : {32u, 33u, 64u}) {
    std::vector<std::string> names;
    for (std::size_t e = 0; e < bands; ++e) names.push_back("expert " + std::to_string(e));
    const auto svg = draw({1, 2}, {2, std::vector<double>(bands, 1)}, names);
    CHECK(has(svg, "legend") == (bands == 32));
    CHECK(count(svg, "<title>expert ") == bands);
  }
}
