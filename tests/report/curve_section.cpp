#include "moecnn/report/curve_section.hpp"

#include <doctest/doctest.h>

#include "well_formed.hpp"

using namespace moecnn::report;
using namespace well_formed;

namespace {
std::string draw(const Curves& curves) {
  Page page("t");
  add_curves(page, curves);
  CHECK(markup_fault(page.html()) == "");
  return page.html();
}
}  // namespace

TEST_CASE("only recorded curves are drawn") {
  Curves c;
  CHECK_FALSE(has(draw(c), "<figure"));
  c.loss.add(1, 4.5);
  CHECK(count(draw(c), "<figure>") == 1);
  c.test_accuracy.add(1, 0.1);
  c.learning_rate.add(1, 1e-3);
  CHECK(count(draw(c), "<figure>") == 3);
  CHECK(has(draw(c), "10.00\u202F%"));  // the table of numbers
}

TEST_CASE("steps are drawn pale behind their mean, epochs are not") {
  Curves c;
  for (int i = 0; i < 100; ++i) c.loss.add(i, 1.0);
  CHECK(count(draw(c), " thin\"") == 0);
  for (int i = 100; i < 400; ++i) c.loss.add(i, 1.0);
  CHECK(count(draw(c), " thin\"") == 1);
}

TEST_CASE("the table takes the latest value of each curve") {
  Curves c;
  for (int step = 0; step <= 20; ++step) c.loss.add(step * 0.1, step);
  c.test_accuracy.add(1, 0.25);
  c.test_accuracy.add(2, 0.5);
  const auto html = draw(c);
  CHECK(has(html, "<td class=\"n\">1</td><td class=\"n\">10</td><td class=\"n\">25.00\u202F%</td>"));
  CHECK(has(html, "<td class=\"n\">2</td><td class=\"n\">20</td><td class=\"n\">50.00\u202F%</td>"));
}

TEST_CASE("segmentation: accuracy of pixels, mean IoU") {
  Curves c;
  c.per_pixel = true;
  for (int e = 1; e <= 3; ++e) c.mean_iou.add(e, e * 0.1), c.test_accuracy.add(e, e * 0.2), c.loss.add(e, 1);
  const auto html = draw(c);
  for (const char* part : {"Mean IoU", "Pixel accuracy", "Cross-entropy per pixel", "mIoU", "20.00\u202F%"})
    CHECK_MESSAGE(has(html, part), part);
  CHECK_FALSE(has(html, "top-1"));
}
