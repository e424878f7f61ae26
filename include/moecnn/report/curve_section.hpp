#pragma once
/// \file
/// The part of a training report that shows how training went: loss, accuracy, balance loss, learning rate, speed.

#include "moecnn/report/line_chart.hpp"
#include "moecnn/report/training_data.hpp"

namespace moecnn::report {

namespace detail {

/// `curve` as a line; more than 150 points (steps, not epochs) as a pale line of raw values behind their moving mean.
inline void add_series(std::vector<Series>& series, const Curve& curve, std::string name, int ink,
                       bool as_percent = false) {
  if (curve.empty()) return;
  Series line{.name = std::move(name), .x = curve.x, .y = as_percent ? in_percent(curve.y) : curve.y, .ink = ink};
  if (curve.x.size() > 150) {
    Series raw = line;
    raw.background = true;
    line.y = moving_average(line.y, std::max<std::size_t>(5, curve.x.size() / 40));
    series.push_back(std::move(raw));
  }
  series.push_back(std::move(line));
}

/// Value of `curve` at the last point not after `x`; NaN before the first.
inline double value_at(const Curve& curve, double x) {
  double value = std::numeric_limits<double>::quiet_NaN();
  for (std::size_t i = 0; i < curve.x.size() && curve.x[i] <= x + 1e-9; ++i) value = curve.y[i];
  return value;
}

/// The numbers behind the curves, one row per epoch (per point of the accuracy curves, at most 300), folded away.
inline void add_numbers(Page& page, const Curves& c) {
  const Curve* rows = nullptr;
  for (const Curve* candidate : {&c.mean_iou, &c.test_accuracy, &c.test_loss, &c.train_accuracy, &c.loss})
    if (rows == nullptr && !candidate->empty() && candidate->x.size() <= 300) rows = candidate;
  if (rows == nullptr) return;
  struct Entry {
    const char* name;
    const Curve& curve;
    bool share;
  };
  std::vector<Entry> entries;
  for (const Entry& e :
       {Entry{"training loss", c.loss, false}, Entry{"test loss", c.test_loss, false},
        Entry{"balance loss", c.balance_loss, false},
        Entry{c.per_pixel ? "training accuracy" : "training top-1", c.train_accuracy, true},
        Entry{c.per_pixel ? "test accuracy" : "test top-1", c.test_accuracy, true}, Entry{"mIoU", c.mean_iou, true},
        Entry{"learning rate", c.learning_rate, false}, Entry{"images/s", c.images_per_second, false}})
    if (!e.curve.empty()) entries.push_back(e);
  std::vector<Column> columns{{"epoch"}};
  for (const Entry& e : entries) columns.push_back({e.name});
  std::vector<std::vector<Cell>> cells;
  for (const double x : rows->x) {
    cells.push_back({{formatted("{:g}", x)}});
    for (const Entry& e : entries) {
      const double v = value_at(e.curve, x);
      cells.back().push_back({e.share ? percent(v, 2) : number(v)});
    }
  }
  page.open_details("The numbers, epoch by epoch").table(columns, cells).close_details();
}

}  // namespace detail

/// Adds the section; nothing when no curve was recorded.
inline void add_curves(Page& page, const Curves& c) {
  double last = 0;
  for (const Curve* curve : {&c.loss, &c.test_loss, &c.balance_loss, &c.train_accuracy, &c.test_accuracy, &c.mean_iou,
                             &c.learning_rate, &c.images_per_second})
    for (const double x : curve->x)
      if (std::isfinite(x)) last = std::max(last, x);
  const auto draw = [&](std::vector<Figure>& to, std::string title, std::string caption,
                        const std::vector<Series>& series, LineChart options) {
    if (series.empty()) return;
    options.label = title + " over epochs";
    options.x_title = "epoch";
    options.x_min = 0, options.x_max = last;
    to.push_back({std::move(title), std::move(caption), line_chart(series, options)});
  };

  std::vector<Series> loss, accuracy, iou, balance, rate, speed;
  detail::add_series(loss, c.loss, "training", c.test_loss.empty() ? ink_main : ink_second);
  detail::add_series(loss, c.test_loss, "test", ink_main);
  detail::add_series(accuracy, c.train_accuracy, "training", c.test_accuracy.empty() ? ink_main : ink_second, true);
  detail::add_series(accuracy, c.test_accuracy, "test", ink_main, true);
  detail::add_series(iou, c.mean_iou, "", ink_main, true);
  detail::add_series(balance, c.balance_loss, "", ink_main);
  detail::add_series(speed, c.images_per_second, "", ink_main);
  if (!c.learning_rate.empty())
    rate.push_back({.name = "", .x = c.learning_rate.x, .y = c.learning_rate.y, .steps = true});

  std::vector<Figure> large, small;
  draw(large, "Loss",
       std::string("Cross-entropy per ") + (c.per_pixel ? "pixel" : "image") +
           ", without the balance loss. A test curve that rises while training falls is "
           "over-fitting.",
       loss, {.y_title = "cross-entropy, nats", .y_min = 0});
  draw(large, "Mean IoU",
       "Intersection over union on the test set, averaged over the classes: the figure that segmentation is judged by.",
       iou, {.y_title = "mIoU, %", .unit = " %", .decimals = 1, .y_min = 0});
  draw(large, c.per_pixel ? "Pixel accuracy" : "Accuracy",
       c.per_pixel
           ? "Share of pixels whose class is right; large classes decide it. Training images are augmented, so "
             "theirs can be lower."
           : "Share of images whose first guess is right. Training images are augmented, so theirs can be lower.",
       accuracy, {.y_title = c.per_pixel ? "accuracy, %" : "top-1, %", .unit = " %", .decimals = 1, .y_min = 0});
  LineChart balance_chart{.y_title = "balance loss, weighted", .y_min = 0};
  if (c.mean_iou.empty()) balance_chart.width = 330, balance_chart.height = 230;
  draw(c.mean_iou.empty() ? small : large, "Balance loss",
       "What the gate pays for using its experts unequally. It should fall early and stay low.", balance,
       balance_chart);
  draw(small, "Learning rate", "As the schedule set it, on a logarithmic axis.", rate,
       {.y_title = "learning rate", .log_y = true, .width = 330, .height = 230});
  draw(small, "Speed", "Training images per second. Dips are other work of the machine.", speed,
       {.y_title = "images/s", .y_min = 0, .width = 330, .height = 230});
  if (large.empty() && small.empty()) return;
  page.section("Training",
               "Where steps were recorded, pale lines are single steps and strong lines their moving mean. Point at a "
               "chart to read values.");
  page.figures(large).figures(small, 3);
  detail::add_numbers(page, c);
}

}  // namespace moecnn::report
