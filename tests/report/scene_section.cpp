#include "moecnn/report/scene_section.hpp"

#include <doctest/doctest.h>

#include "well_formed.hpp"

using namespace moecnn;
using namespace moecnn::report;
using namespace well_formed;

namespace {

std::string html_of(const Page& page) {
  const std::string html = page.html();
  CHECK(markup_fault(html) == "");
  CHECK_FALSE(has_nan(html));
  return html;
}

}  // namespace

TEST_CASE("swatches have the colour of the picture") {
  CHECK(swatch({1, 160, 255}, "a&b").html ==
        "<span class=\"name swatch\" style=\"--k:#01a0ff\"><span class=\"chip\"></span>a&amp;b</span>");
}

TEST_CASE("a table of classes with their commonest mistake") {
  analysis::Confusion seen(4);
  const std::vector<int> truth{0, 0, 0, 0, 1, 2, 2}, guess{0, 1, 1, 255, 1, 2, 2};
  seen.add(truth.data(), guess.data(), truth.size());
  Page page("test");
  add_classes(page, seen, {"road", "wall", "sky", "<train>"}, {});
  const auto html = html_of(page);
  CHECK(has(html, "wall (50.0\u202F%)"));
  CHECK(has(html, "57.14\u202F%"));  // of all pixels are road
  CHECK(has(html, "&lt;train&gt;"));
  CHECK(count(html, ">most often taken for</th>") == 1);
  CHECK(count(html, "What is taken for what") == 1);
  CHECK(count(html, "data-name=\"most often taken for\"") == 4);  // for narrow screens
  CHECK(count(html, "taken for") == 6);
  CHECK(has(html, "road × wall: 50\u202F%"));
  CHECK_FALSE(has(html, "&lt;train&gt; × "));  // not in the set
}

TEST_CASE("samples keep their order and say what colours mean") {
  Page page("test");
  add_samples(page, {}, {}, {}, 2);
  CHECK_FALSE(has(html_of(page), "<section"));
  const Image dot{1, 1, 3, {1, 2, 3}};
  const std::vector<Rgb> palette{{1, 2, 3}};
  add_samples(page, {{"one", "", {{"image", dot}}}, {"two", "fits", {{"image", dot}, {"prediction", dot}}}}, {"road"},
              palette, 3);
  const auto html = html_of(page);
  CHECK(html.find(">one<") < html.find(">two<"));
  CHECK(count(html, "<img ") == 3);
  CHECK(count(html, "class=\"name swatch\"") == 1 + 1 + 3);
  CHECK(has(html, "--n:2"));
}
