#pragma once
/// \file
/// A curve the size of a word, for tables and tiles.

#include "moecnn/report/line_chart.hpp"

namespace moecnn::report {

/// From zero (or the lowest value, if below) to `most` (0: the highest value), with a dashed line at `reference` when
/// it is positive; empty for fewer than two finite values.
inline Markup sparkline(const std::vector<double>& values, int ink, std::string_view label, double most = 0,
                        double reference = 0, double width = 84, double height = 22) {
  Range range;
  int finite = 0;
  for (const double v : values) range.add(v), finite += std::isfinite(v);
  if (finite < 2) return {};
  Series series{.name = "", .x = {}, .y = values, .ink = ink};
  for (std::size_t i = 0; i < values.size(); ++i) series.x.push_back(static_cast<double>(i));
  const double lo = std::min(0.0, range.lo), hi = most > 0 ? most : range.hi;
  const Scale x{.lo = 0, .hi = std::max(1.0, static_cast<double>(values.size() - 1)), .from = 2, .to = width - 4};
  const Scale y{.lo = lo, .hi = hi > lo ? hi : lo + 1, .from = height - 2.5, .to = 2.5};
  Svg svg(width, height, label, "spark", true);
  svg.line(0, y(lo), width, y(lo), "grid");
  if (reference > 0) svg.line(0, y(reference), width, y(reference), "ref pale");
  detail::draw_curve(svg, series, x, y, 120);
  const int last = detail::last_finite(values);
  svg.circle(x(last), y(values[last]), 2.2, "fl " + ink_class(ink));
  return std::move(svg).done();
}

}  // namespace moecnn::report
