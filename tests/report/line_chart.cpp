#include "moecnn/report/line_chart.hpp"

#include <doctest/doctest.h>

#include "well_formed.hpp"

using namespace moecnn::report;
using namespace well_formed;

namespace {
constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();
constexpr double infinite = std::numeric_limits<double>::infinity();

std::string draw(const std::vector<Series>& series, LineChart options = {}) {
  options.label = "chart";
  const std::string svg = line_chart(series, options).html;
  CHECK(markup_fault(svg) == "");
  CHECK_FALSE(has_nan(svg));
  return svg;
}
}  // namespace

TEST_CASE("a line chart has axes, ticks, titles and a named line") {
  const auto svg = draw({{.name = "test", .x = {0, 1, 2}, .y = {10, 20, 30}}},
                        {.x_title = "epoch", .y_title = "top-1, %", .unit = " %", .decimals = 1});
  CHECK(has(svg, ">epoch<"));
  CHECK(has(svg, ">top-1, %<"));
  CHECK(has(svg, ">30<"));
  CHECK(has(svg, ">test 30.0 %<"));
  CHECK(has(svg, "aria-label=\"chart; last values: test 30.0 %\""));
  CHECK(has(svg, "epoch 1\ntest: 20.0 %"));  // on hovering
  CHECK(count(svg, "class=\"ln ") == 1);
}

TEST_CASE("degenerate series draw something sensible") {
  CHECK(has(draw({}), "nothing recorded"));
  CHECK(has(draw({{.name = "a"}}), "nothing recorded"));
  CHECK(has(draw({{.name = "a", .x = {1, 2}, .y = {nan_value, infinite}}}), "nothing recorded"));
  CHECK(has(draw({{.name = "a", .x = {1, 2}, .y = {0, -1}}}, {.log_y = true}), "nothing recorded"));
  CHECK(has(draw({{.name = "a", .x = {nan_value}, .y = {1}}}), "nothing recorded"));
  CHECK(has(draw({{.name = "one", .x = {3}, .y = {7}}}), "<circle"));
  CHECK(has(draw({{.name = "flat", .x = {1, 2, 3}, .y = {5, 5, 5}}}), "flat 5"));
  CHECK(has(draw({{.name = "zero", .x = {1, 2}, .y = {0, 0}}}), "zero 0"));
  CHECK(has(draw({{.name = "vast", .x = {1, 2, 3}, .y = {1, 1e300, -1e300}}}), "<path"));
  CHECK(has(draw({{.name = "tiny", .x = {1, 2}, .y = {0, 1e-310}}}), "<path"));
  CHECK(has(draw({{.name = "lr", .x = {1}, .y = {1e-3}}}, {.log_y = true}), "lr 0.001"));
  CHECK(has(draw({{.name = "same x", .x = {1, 1}, .y = {2, 3}}}), "<path"));
}

TEST_CASE("gaps interrupt the path; single points between gaps become dots") {
  const auto svg = draw({{.name = "", .x = {1, 2, 3, 4, 5, 6}, .y = {1, 2, nan_value, 3, infinite, 2}}});
  const auto start = svg.find("class=\"ln");
  const auto d = svg.substr(svg.find("d=\"", start));
  CHECK(count(d.substr(0, d.find("\"", 3)), "M") == 3);
  CHECK(count(svg, "<circle") == 3);  // x = 4, x = 6 and the end of the line
}

TEST_CASE("values that a logarithmic axis cannot show are gaps") {
  const auto svg = draw({{.name = "", .x = {1, 2, 3, 4, 5}, .y = {1, 10, 0, 100, 1000}}}, {.log_y = true});
  const auto d = svg.substr(svg.find(" d=\"", svg.find("class=\"ln")));
  CHECK(count(d.substr(0, d.find("\"", 5)), "M") == 2);
}

TEST_CASE("ten thousand points are thinned") {
  Series s{.name = "loss"};
  for (int i = 0; i < 10000; ++i) s.x.push_back(i), s.y.push_back(std::sin(i * 0.01));
  CHECK(draw({s}).size() < 30000);
}

TEST_CASE("the right axis has its own scale") {
  const auto svg =
      draw({{.name = "l", .x = {0, 1}, .y = {0, 1}}, {.name = "r", .x = {0, 1}, .y = {700, 900}, .right = true}},
           {.right_title = "images/s"});
  CHECK(has(svg, ">images/s<"));
  CHECK(has(svg, ">700<"));
  CHECK(has(svg, ">r 900<"));
  CHECK(has(draw({{.name = "r", .x = {0, 1}, .y = {700, 900}, .right = true}}), ">r 900<"));
}

TEST_CASE("more lines than fit beside the chart are named in a legend") {
  std::vector<Series> many;
  for (int i = 0; i < 40; ++i) many.push_back({.name = "line", .x = {0, 1}, .y = {0.0, double(i)}, .ink = i});
  CHECK(has(draw(many), "class=\"legend\""));
}

TEST_CASE("series of unequal lengths are refused by name") {
  CHECK_THROWS_WITH(line_chart({{.name = "a", .x = {1, 2}, .y = {1}}}, {.label = "loss"}),
                    "line chart 'loss': series 'a' has 2 x and 1 y values; expected equally many");
}

TEST_CASE("names are escaped") { CHECK_FALSE(has(draw({{.name = "<b>", .x = {1}, .y = {1}}}), "<b>")); }

TEST_CASE("moving average leaves gaps and shortens at the ends") {
  const auto mean = moving_average({1, 2, 3, nan_value, 5}, 3);
  CHECK(mean[0] == doctest::Approx(1.5));
  CHECK(mean[1] == doctest::Approx(2));
  CHECK(mean[2] == doctest::Approx(2.5));
  CHECK(std::isnan(mean[3]));
  CHECK(mean[4] == doctest::Approx(5));
  CHECK(moving_average({}, 3).empty());
}

TEST_CASE("a least span keeps small differences small, inside 0 and the most") {
  const auto chart = [](std::vector<double> y, double span) {
    const std::vector<double> x{1, 2, 3};
    return line_chart(
               {{.name = "mIoU", .x = x, .y = std::move(y)}},
               {.label = "l", .unit = " %", .decimals = 1, .least_span = span, .most = 100, .print_values = true})
        .html;
  };
  const auto height = [](const std::string& svg) {  // of the curve, in units of the picture
    const auto d = svg.find("<path class=\"ln");
    double lo = 1e9, hi = 0, x = 0, y = 0;
    for (auto at = svg.find(" d=\"", d) + 4; svg[at] != '"'; ++at)
      if ((svg[at] == 'M' || svg[at] == 'L') && std::sscanf(svg.c_str() + at + 1, "%lf %lf", &x, &y) == 2)
        lo = std::min(lo, y), hi = std::max(hi, y);
    return hi - lo;
  };
  CHECK(height(chart({60, 60.5, 60}, 0)) > 100);
  CHECK(height(chart({60, 60.5, 60}, 10)) < 20);
  CHECK(height(chart({20, 80, 20}, 10)) > 100);
  const auto top = chart({99.5, 99.8, 99.6}, 10), bottom = chart({0, 0.2, 0.1}, 10);
  CHECK(has(top, ">100<"));
  CHECK_FALSE(has(top, ">102<"));
  CHECK_FALSE(has(top, ">105<"));
  CHECK(has(bottom, ">0<"));
  CHECK_FALSE(has(bottom, "−"));
  for (const char* value : {">99.5<", ">99.8<", ">mIoU 99.6 %<"}) CHECK_MESSAGE(has(top, value), value);
}

TEST_CASE("a point without a place is a gap") {
  const auto svg = draw({{.name = "a", .x = {1, 2, nan_value, nan_value}, .y = {1, 2, 3, 4}}});
  CHECK(has(svg, ">a 2<"));
}

TEST_CASE("the label says the end value where there is one") {
  CHECK(has(draw({{.name = "a", .x = {1, 2}, .y = {1, 2}, .end_value = 1.5}}), ">a 1.5<"));
  CHECK(has(draw({{.name = "a", .x = {1, 2}, .y = {1, 2}, .end_value = nan_value}}), ">a 2<"));
}
