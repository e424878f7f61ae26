#pragma once
/// \file
/// The part of a training report that shows how training went: loss, accuracy, balance loss, learning rate, speed.

#include "moecnn/report/line_chart.hpp"
#include "moecnn/report/training_data.hpp"

namespace moecnn::report {

namespace detail {

inline constexpr std::size_t most_unsmoothed = 150;  ///< points of a line that is drawn as it is

/// The last epoch's own number, where the curve ends with that epoch.
inline std::optional<double> end_of(const Curve& curve) {
  if (curve.epoch_x.empty() || curve.empty() || std::fabs(curve.epoch_x.back() - curve.x.back()) > 1e-6) return {};
  return curve.epoch_y.back();
}

/// `curve` as a line, named by the number of its last epoch; of many points a pale line behind their moving mean.
inline void add_series(std::vector<Series>& series, const Curve& curve, std::string name, int ink,
                       bool as_percent = false) {
  if (curve.empty()) return;
  Series line{.name = std::move(name), .x = curve.x, .y = as_percent ? in_percent(curve.y) : curve.y, .ink = ink};
  line.end_value = end_of(curve);
  if (line.end_value && as_percent) *line.end_value *= 100;
  if (curve.x.size() > most_unsmoothed) {
    Series raw = line;
    raw.background = true;
    line.y = moving_average(line.y, std::max<std::size_t>(5, curve.x.size() / 40));
    series.push_back(std::move(raw));
  }
  series.push_back(std::move(line));
}

/// Value of `curve` at the last epoch (the last point where it has no epochs) not after `x`; NaN before the first.
inline double value_at(const Curve& curve, double x) {
  const bool epochs = !curve.epoch_x.empty();
  const auto& at = epochs ? curve.epoch_x : curve.x;
  double value = std::numeric_limits<double>::quiet_NaN();
  for (std::size_t i = 0; i < at.size(); ++i)
    if (at[i] <= x + 1e-9) value = (epochs ? curve.epoch_y : curve.y)[i];
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
    if (!std::isfinite(x)) continue;
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
       formatted("Cross-entropy per {}{}.{}", c.per_pixel ? "pixel" : "image",
                 c.balance_loss.empty() ? "" : ", without the balance loss",
                 c.test_loss.empty() ? "" : " A test curve that rises while training falls is over-fitting."),
       loss, {.y_title = "cross-entropy, nats", .decimals = 3, .y_min = 0});
  draw(large, "Mean IoU",
       "Intersection over union on the test set, averaged over the classes: the figure that segmentation is judged by.",
       iou, {.y_title = "mIoU, %", .unit = " %", .decimals = 2, .y_min = 0});
  draw(large, c.per_pixel ? "Pixel accuracy" : "Accuracy",
       std::string(c.per_pixel ? "Share of pixels whose class is right; large classes decide it."
                               : "Share of images whose first guess is right.") +
           (c.augmented ? " Training images are augmented, so theirs can be lower." : ""),
       accuracy, {.y_title = c.per_pixel ? "accuracy, %" : "top-1, %", .unit = " %", .decimals = 2, .y_min = 0});
  LineChart balance_chart{.y_title = "balance loss, weighted", .y_min = 0};
  if (c.mean_iou.empty()) balance_chart.width = 330, balance_chart.height = 230;
  draw(c.mean_iou.empty() ? small : large, "Balance loss",
       "The price that the gate pays for using its experts unequally. It should fall early and stay low.", balance,
       balance_chart);
  draw(small, "Learning rate", "As the schedule set it for every step, on a logarithmic axis.", rate,
       {.y_title = "learning rate", .log_y = true, .width = 330, .height = 230});
  const double images = detail::end_of(c.images_per_second).value_or(0);
  draw(small, "Speed", "Training images per second. Dips are other work of the machine.", speed,
       {.y_title = "images/s", .decimals = images < 10 ? 1 : 0, .y_min = 0, .width = 330, .height = 230});
  if (large.empty() && small.empty()) return;
  std::string intro;
  if (std::max(c.loss.x.size(), c.train_accuracy.x.size()) > detail::most_unsmoothed)
    intro = "Pale lines are means over a few steps, strong lines their moving mean. ";
  if (detail::end_of(c.loss) || detail::end_of(c.train_accuracy))
    intro += "The number at the end of a line is that of the whole last epoch, as training printed it. ";
  page.section("Training", intro + "Point at a chart to read values.");
  page.figures(large).figures(small, 3);
  detail::add_numbers(page, c);
}

}  // namespace moecnn::report
