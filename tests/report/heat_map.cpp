#include "moecnn/report/heat_map.hpp"

#include <doctest/doctest.h>

#include "well_formed.hpp"

using namespace moecnn;
using namespace moecnn::report;
using namespace well_formed;

namespace {
Matrix ramp(int rows, int cols) {
  Matrix m(rows, cols);
  for (int i = 0; i < rows; ++i)
    for (int j = 0; j < cols; ++j) m(i, j) = double(i * cols + j) / (rows * cols - 1);
  return m;
}

std::string draw(const Matrix& values, HeatMap map) {
  map.label = "heat";
  const std::string html = heat_map(values, map).html;
  CHECK(markup_fault(html) == "");
  CHECK_FALSE(has_nan(html));
  return html;
}
}  // namespace

TEST_CASE("a heat map colours cells from the lowest to the highest step") {
  const auto html =
      draw(ramp(2, 2), {.scale_title = "weight", .rows = {"a", "b"}, .columns = {"0", "1"}, .print_values = true});
  CHECK(has(html, "<rect class=\"h0\""));
  CHECK(has(html, "<rect class=\"h11\""));
  CHECK(has(html, "a × 1: 33\u202F%"));
  CHECK(has(html, ">67<"));
  CHECK(count(html, "<title>") == 4);
}

TEST_CASE("a hundred classes are broken into panels of equal height") {
  const std::vector<std::string> rows(100, "class"), columns(10, "0");
  const auto html = draw(ramp(100, 10), {.rows = rows, .columns = columns, .rows_per_panel = 26});
  CHECK(count(html, "class=\"heat\"") == 4);
  CHECK(count(html, "<title>") == 1000);
  CHECK(html.size() < 250000);
}

TEST_CASE("long column names run upwards over narrow cells, and small values go without numbers") {
  const auto html = draw(ramp(2, 2), {.rows = {"a", "b"},
                                      .columns = {"traffic light", "vegetation"},
                                      .expert_columns = false,
                                      .slanted_columns = true,
                                      .print_values = true,
                                      .print_from = 0.5,
                                      .cell_width = 30});
  CHECK(count(html, "transform=\"rotate(-50 ") == 2);
  CHECK(has(html, "width=\"29\""));
  CHECK(has(html, ">67<"));
  CHECK_FALSE(has(html, ">33<"));
}

TEST_CASE("degenerate matrices") {
  CHECK(has(draw(Matrix(), {}), "nothing recorded"));
  Matrix zero(1, 2);
  zero.fill(0);
  CHECK(count(draw(zero, {.rows = {"a"}, .columns = {"0", "1"}}), "<title>") == 2);
  zero(0, 1) = std::numeric_limits<double>::quiet_NaN();
  CHECK(count(draw(zero, {.rows = {"a"}, .columns = {"0", "1"}}), "<title>") == 1);
  zero.fill(std::numeric_limits<double>::quiet_NaN());
  CHECK(has(draw(zero, {.rows = {"a"}, .columns = {"0", "1"}}), "nothing recorded"));
  zero.fill(1);
  CHECK_FALSE(has(draw(zero, {.rows = {"<script>"}, .columns = {"0", "\"x"}}), "<script>"));
}

TEST_CASE("a heat map with missing names is refused") {
  CHECK_THROWS_WITH(heat_map(ramp(2, 2), {.label = "heat", .rows = {"a"}, .columns = {"0", "1"}}),
                    "heat map 'heat': 2x2 values for 1 row and 2 column names");
}
