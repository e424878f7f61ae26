#include "moecnn/report/study_section.hpp"

#include <doctest/doctest.h>

#include "well_formed.hpp"

using namespace moecnn::report;

TEST_CASE("a number is far from the published one beyond a tenth of it and twice its deviation") {
  CHECK(far_from_paper({{80}, 72}));
  CHECK_FALSE(far_from_paper({{79}, 72}));
  CHECK_FALSE(far_from_paper({{80}, 72, 4}));
  CHECK(far_from_paper({{81}, 72, 4}));
  CHECK(far_from_paper({{0.3, 0.3}, 0.5}));
  CHECK_FALSE(far_from_paper({{80}, {}}));
  CHECK_FALSE(far_from_paper({{}, 72}));
}

TEST_CASE("a section has the table with marks, the best in bold, and the notes") {
  const StudyTable t{.id = "T2",
                     .title = "Accuracy",
                     .about = "About <it>.",
                     .varied = "network",
                     .source = "paper",
                     .metrics = {{.key = "top1", .name = "top-1, %", .best = StudyMetric::Best::highest}},
                     .rows = {{"plain", {{{60, 62}, 72.62, 0.29}}}, {"mixture", {{{50, std::nan("")}, {}}}}},
                     .notes = {"A note."}};
  Page page("A study");
  add_study(page, t);
  const std::string html = page.html();
  CHECK(well_formed::markup_fault(html) == "");
  const auto shows = [&](const char* text) { return html.find(text) != std::string::npos; };
  CHECK(shows("T2: Accuracy"));
  CHECK(shows("About &lt;it&gt;."));
  CHECK(shows("<b>61.00 ± 1.41</b> <span class=\"dead\">▼</span>"));
  CHECK(shows("72.62 ± 0.29"));
  CHECK(shows("1 of 2"));
  CHECK(shows("A note."));
}
