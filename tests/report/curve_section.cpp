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

TEST_CASE("the label at the end of a curve and the table have the epoch's own number") {
  Curves c;
  for (int i = 1; i <= 10; ++i) {
    c.loss.add(i * 0.2, 5 - 0.1 * i);
    c.train_accuracy.add(i * 0.2, 0.01 * i);
    c.images_per_second.add(i * 0.2, 100 * i);
  }
  for (int e = 1; e <= 2; ++e) {
    c.loss.add_epoch(e, 4.5 - e * 0.1234);
    c.train_accuracy.add_epoch(e, 0.05432 * e);
    c.images_per_second.add_epoch(e, 123.4 * e);
    c.test_accuracy.add(e, 0.12345 * e);
  }
  auto html = draw(c);
  for (const char* label : {">training 4.253<", ">training 10.86 %<", ">247<", ">test 24.69 %<"})
    CHECK_MESSAGE(has(html, label), label);
  CHECK_FALSE(has(html, ">training 4.00"));
  CHECK(has(html, "<td class=\"n\">1</td><td class=\"n\">4.38</td>"));
  CHECK(has(html, "as training printed it"));
  // Stopped inside an epoch: no epoch's number stands at the end.
  c.loss.add(2.2, 1.5);
  CHECK(has(draw(c), ">training 1.500<"));
}

TEST_CASE("many records: the label is not the smoothed line's last value") {
  Curves c;
  for (int i = 1; i <= 300; ++i) c.loss.add(i / 100.0, i > 299 ? 100 : 1);
  c.loss.add_epoch(3, 1.25);
  const auto html = draw(c);
  CHECK(has(html, ">1.250<") + has(html, ">training 1.250<") == 1);
  CHECK(has(html, "Pale lines"));
}

TEST_CASE("the page says what was augmented and which loss was left out only where it was") {
  Curves c;
  c.loss.add(1, 4.5), c.test_loss.add(1, 4.6), c.train_accuracy.add(1, 0.1);
  auto html = draw(c);
  CHECK_FALSE(has(html, "augmented"));
  CHECK_FALSE(has(html, "balance loss"));
  c.augmented = true;
  c.balance_loss.add(1, 0.2);
  html = draw(c);
  CHECK(has(html, "Training images are augmented"));
  CHECK(has(html, "without the balance loss"));
}

TEST_CASE("no epoch, one epoch and values that are no numbers make a page") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  Curves c;
  CHECK_FALSE(has_nan(draw(c)));
  for (auto* curve : {&c.loss, &c.train_accuracy, &c.balance_loss, &c.learning_rate, &c.images_per_second})
    curve->add(1, nan), curve->add_epoch(1, nan);
  auto html = draw(c);
  CHECK_FALSE(has_nan(html));
  CHECK(has(html, "nothing recorded"));
  for (auto* curve : {&c.loss, &c.train_accuracy, &c.balance_loss, &c.learning_rate, &c.images_per_second})
    curve->add(2, 0.5), curve->add(nan, 0.5), curve->add(3, nan);
  html = draw(c);
  CHECK_FALSE(has_nan(html));
}
