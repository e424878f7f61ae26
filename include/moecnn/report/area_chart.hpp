#pragma once
/// \file
/// Stacked areas of shares over time: who does how much of the work. One recorded point becomes one stacked bar.

#include "moecnn/report/line_chart.hpp"

namespace moecnn::report {

struct AreaChart {
  std::string label = {};  ///< for screen readers
  std::string x_title = {}, y_title = {};
  double width = 460, height = 270;
};

namespace detail {

/// With more bands a legend is longer than the chart, and lines between the bands would hide them.
inline constexpr std::size_t most_listed = 32;

/// Rows scaled to sum 1; rows with nothing finite and positive to share are left out, together with their x.
inline void keep_shares(std::vector<double>& x, std::vector<std::vector<double>>& rows) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    double sum = 0;
    for (double& v : rows[i]) sum += v = std::isfinite(v) && v > 0 ? v : 0;
    if (!(sum > 0) || !std::isfinite(x[i])) continue;
    for (double& v : rows[i]) v /= sum;
    std::vector<double> row = std::move(rows[i]);
    rows[kept] = std::move(row), x[kept] = x[i];
    ++kept;
  }
  rows.resize(kept), x.resize(kept);
}

/// Means over equal runs of points, when there are more than `most`; the last point stays what it was.
inline void average_down(std::vector<double>& x, std::vector<std::vector<double>>& rows, std::size_t most) {
  const std::size_t n = rows.size();
  if (n <= most) return;
  std::vector<double> mean_x;
  std::vector<std::vector<double>> mean_rows;
  for (std::size_t b = 0; b < most; ++b) {
    const std::size_t first = b * n / most, last = (b + 1) * n / most;
    std::vector<double> mean(rows[0].size(), 0.0);
    for (std::size_t i = first; i < last; ++i)
      for (std::size_t e = 0; e < mean.size(); ++e) mean[e] += rows[i][e] / static_cast<double>(last - first);
    mean_x.push_back(b == 0 ? x.front() : b + 1 == most ? x.back() : (x[first] + x[last - 1]) / 2);
    mean_rows.push_back(std::move(mean));
  }
  mean_rows.back() = rows.back();
  x = std::move(mean_x), rows = std::move(mean_rows);
}

}  // namespace detail

/// `rows[i][e]` is the amount (share or count) of band e at `x[i]`; each row is scaled to sum 1. Band 0 is on top. More
/// than `most_listed` bands are named by pointing at them.
inline Markup stacked_areas(std::vector<double> x, std::vector<std::vector<double>> rows,
                            const std::vector<std::string>& names, const AreaChart& options) {
  check(x.size() == rows.size(), "area chart '{}' has {} x values and {} rows; expected equally many", options.label,
        x.size(), rows.size());
  for (const auto& row : rows)
    check(row.size() == names.size(), "area chart '{}' has a row of {} values for {} names; expected equally many",
          options.label, row.size(), names.size());
  detail::keep_shares(x, rows);
  if (rows.empty()) return empty_chart(options.width, options.height, options.label);
  detail::average_down(x, rows, 240);
  if (rows.size() == 1) x.push_back(x[0]), rows.push_back(rows[0]);

  const std::size_t bands = names.size();
  const double top = options.y_title.empty() ? 10 : 30, bottom = options.height - (options.x_title.empty() ? 24 : 42);
  std::vector<std::string> labels;
  for (std::size_t e = 0; e < bands; ++e) labels.push_back(names[e] + " " + percent(rows.back()[e], 0));
  const bool named = static_cast<double>(bands) * 14 <= bottom - top + 14;
  const double left = text_width("100") + 10;
  const double right = options.width - (named ? detail::widest(labels) + 20 : 8);
  const bool one = x.front() == x.back();
  const Scale sx{.lo = one ? x[0] - 0.5 : x.front(), .hi = one ? x[0] + 0.5 : x.back(), .from = left, .to = right};
  const Scale sy{.lo = 0, .hi = 1, .from = bottom, .to = top};
  const auto at = [&](std::size_t i) { return one ? (i == 0 ? left : right) : sx(x[i]); };

  std::string spoken = options.label + "; at the end:";
  for (const auto& l : labels) spoken += " " + l + (&l == &labels.back() ? "" : ",");
  Svg svg(options.width, options.height, spoken);
  std::vector<double> above(rows.size(), 1.0), wanted;
  for (std::size_t e = 0; e < bands; ++e) {
    std::string upper, lower;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const double below = e + 1 == bands ? 0.0 : std::max(0.0, above[i] - rows[i][e]);
      upper += (i == 0 ? "M" : "L") + px(at(i)) + " " + px(sy(above[i]));
      lower = "L" + px(at(i)) + " " + px(sy(below)) + lower;
      if (i + 1 == rows.size()) wanted.push_back(sy((above[i] + below) / 2));
      above[i] = below;
    }
    svg.path(upper + lower + "Z", (bands <= detail::most_listed ? "fl band " : "fl ") + ink_class(static_cast<int>(e)),
             labels[e] + " at the end");
  }
  for (const int p : {0, 25, 50, 75, 100}) {
    svg.line(left - 4, sy(p / 100.0), left, sy(p / 100.0), "axis");
    svg.text(left - 8, sy(p / 100.0) + 4, formatted("{}", p), "end");
  }
  if (!options.y_title.empty()) svg.text(0, 12, options.y_title);
  if (one) {
    svg.line(left, bottom, right, bottom, "axis");
    svg.text((left + right) / 2, bottom + 17, formatted("{:g}", x[0]), "mid");
    if (!options.x_title.empty()) svg.text((left + right) / 2, bottom + 34, options.x_title, "mid");
  } else {
    detail::draw_x_axis(svg, sx, bottom, options.x_title);
  }
  if (named) {
    const auto y = spread(wanted, 14.5, top + 4, bottom - 4);
    for (std::size_t e = 0; e < bands; ++e) {
      svg.path(formatted("M{} {}L{} {}", px(right + 2), px(wanted[e]), px(right + 12), px(y[e])), "lead");
      svg.text(right + 16, y[e] + 4, labels[e], "lab");
    }
  }
  if (named || bands > detail::most_listed) return std::move(svg).done();
  std::vector<int> inks(bands);
  std::iota(inks.begin(), inks.end(), 0);
  return {legend(labels, inks).html + std::move(svg).done().html};
}

}  // namespace moecnn::report
