#include "moecnn/report/svg.hpp"

#include <doctest/doctest.h>

#include "well_formed.hpp"

using namespace moecnn::report;
using namespace well_formed;

TEST_CASE("coordinates are short") {
  CHECK(px(3) == "3");
  CHECK(px(3.14159) == "3.1");
  CHECK(px(-0.01) == "0");
  CHECK(px(-2.5) == "-2.5");
}

TEST_CASE("experts beyond the tenth reuse colours in a paler form") {
  CHECK(ink_class(3) == "c3");
  CHECK(ink_class(13) == "c3 v1");
  CHECK(ink_class(23) == "c3 v2");
  CHECK(ink_class(ink_main) == "ca");
}

TEST_CASE("pictures are well formed and escape texts") {
  Svg svg(10, 20, "a \"b\" <c>");
  svg.rect(0, 0, 1, 1, "x", "<t>");
  svg.path("M0 0", "y", "&");
  svg.text(0, 0, "1 < 2");
  svg.line(0, 0, 1, 1, "z");
  svg.circle(1, 1, 1, "z");
  const auto html = std::move(svg).done().html;
  CHECK(markup_fault(html) == "");
  CHECK(has(html, "viewBox=\"0 0 10 20\""));
  CHECK(has(html, "<title>&lt;t&gt;</title>"));
  CHECK(markup_fault(legend({"<a>"}, {1}).html) == "");
}
