#include "moecnn/report/html.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>

#include "well_formed.hpp"

using namespace moecnn;
using namespace moecnn::report;
using namespace well_formed;

namespace {
const std::string hostile = "<script>alert(1)</script>\" onload='x' & <!-- ]]> </style>";
}

TEST_CASE("the checker of these tests finds faults") {
  CHECK(markup_fault("<p>a &amp; b<br/></p>") == "");
  for (const char* bad : {"<p>", "</p>", "<p><b></p></b>", "a < b", "a > b", "a & b", "<p x=1></p>", "<img src=\"a\">",
                          "<p x=\"1\" x=\"2\"></p>", "<p x=\"<\"></p>"})
    CHECK(markup_fault(bad) != "");
}

TEST_CASE("every part of a page escapes what it is given") {
  Page page(hostile, hostile, hostile);
  page.paragraph(hostile)
      .section(hostile, hostile)
      .heading(hostile)
      .note(hostile)
      .warning(hostile)
      .warnings({hostile, hostile})
      .tiles({{hostile, hostile, hostile}})
      .key_values({{hostile, hostile}})
      .key_values(hostile, {{hostile, hostile}}, hostile, {{hostile, hostile}})
      .table({{hostile}, {hostile, false}}, {{{hostile}, {hostile, {}, 0.5, 3}}})
      .figure({hostile, hostile, {}})
      .command(hostile)
      .open_details(hostile)
      .close_details()
      .add(chip(2, hostile))
      .section(hostile)
      .footer(hostile);
  const std::string html = page.html();
  CHECK(markup_fault(html) == "");
  CHECK_FALSE(has(html, "<script"));
  CHECK_FALSE(has(html, "<!--"));
}

TEST_CASE("sections are listed and their anchors are unique") {
  Page page("t");
  page.section("Mixture layer4").section("Mixture, layer4!").section("漢").section("Ähre");
  const std::string html = page.html();
  for (const char* anchor : {"mixture-layer4", "mixture-layer4-2", "part", "hre"}) {
    CHECK(count(html, std::string("id=\"") + anchor + "\"") == 1);
    CHECK(count(html, std::string("href=\"#") + anchor + "\"") == 1);
  }
}

TEST_CASE("bars in cells stay within their track") {
  Page page("t");
  page.table({{"a"}, {"b"}, {"c"}}, {{{"1", {}, 7.0}, {"2", {}, 0.25}, {"3", {}, std::nan("")}}});
  CHECK(has(page.html(), "width:100.0%"));
  CHECK(has(page.html(), "width:25.0%"));
  CHECK(markup_fault(page.html()) == "");
  CHECK_THROWS_WITH(page.table({{"a"}}, {{}}), "table row has 0 cells for 1 columns");
}

TEST_CASE("nothing is drawn for nothing") {
  Page page("t");
  page.tiles({}).figures({}).warnings({}).key_values({});
  CHECK(markup_fault(page.html()) == "");
  for (const char* none : {"class=\"tiles\"", "class=\"figures\"", "class=\"box", "<table", "<nav"})
    CHECK_FALSE(has(page.html(), none));
}

TEST_CASE("a page is written whole, and an impossible path is named") {
  const auto path = std::filesystem::temp_directory_path() / "moecnn_report_html_test.html";
  Page page("t");
  page.write(path);
  std::ifstream in(path);
  CHECK(std::string(std::istreambuf_iterator<char>(in), {}) == page.html());
  std::filesystem::remove(path);
  try {
    page.write("/nowhere/at/all.html");
    FAIL("wrote to a folder that does not exist");
  } catch (const Error& e) {
    CHECK(has(e.what(), "/nowhere/at/all.html"));
  }
}

TEST_CASE("the style sheet knows light and dark, and every class colour in both") {
  const std::string html = Page("t").html();
  CHECK(has(html, "prefers-color-scheme:dark"));
  for (int i = 0; i < heat_steps; ++i) CHECK(count(html, fmt::format("--h{}:#", i)) == 2);
  for (int i = 0; i < 10; ++i) CHECK(count(html, fmt::format("--c{}:#", i)) == 2);
  CHECK_FALSE(has(html, "<script"));
  CHECK_FALSE(has(html, "@import"));
  CHECK_FALSE(has(html, "url("));
}

TEST_CASE("cells of a stacked table carry the names of their columns, those of others do not") {
  const std::vector<Column> columns{{"na\"me", false}, {"count"}, {"words", false, true}};
  const std::vector<std::vector<Cell>> rows{{{"a"}, {"1", {}, 0.5}, {"two words"}}};
  Page stacked("t"), scrolled("t");
  stacked.table(columns, rows, Narrow::stack), scrolled.table(columns, rows);
  CHECK(markup_fault(stacked.html()) == "");
  for (const char* part : {"<table class=\"stack\">", "<td data-name=\"na&quot;me\">a</td>",
                           "<td class=\"bar\" data-name=\"count\">", "<td class=\"words\" data-name=\"words\">"})
    CHECK_MESSAGE(has(stacked.html(), part), part);
  CHECK_FALSE(has(scrolled.html(), "data-name="));
}
