#pragma once
/// \file
/// Where in the image an expert works: a small map of the grid of patches for each of them.

#include "moecnn/report/heat_map.hpp"

namespace moecnn::report {

struct PlaceMaps {
  std::string label = {};  ///< for screen readers
  std::string scale_title = {};
  int columns = 1;    ///< of the grid
  double width = 92;  ///< of one map
};

/// One map per column of `shares`, whose rows are the places of the grid, row by row; all on one scale. A share that is
/// not finite leaves its place empty.
inline Markup place_maps(const Matrix& shares, const PlaceMaps& opts) {
  check(opts.columns >= 1 && shares.rows() % opts.columns == 0,
        "place maps '{}': {} places are no whole number of rows of {}", opts.label, shares.rows(), opts.columns);
  Range range;
  for (const double v : shares.flat()) range.add(v);
  if (range.empty()) return empty_chart(460, 120, opts.label);
  const HeatMap scale{.label = opts.label, .scale_title = opts.scale_title};
  detail::HeatFrame frame{};
  frame.most = range.hi > 0 ? range.hi : 1;
  const int rows = shares.rows() / opts.columns;
  const double w = opts.width / opts.columns, h = 0.62 * w * opts.columns / std::max(rows, 1);  // as wide as a street
  Markup out{formatted("<div class=\"heatmap\"><div class=\"legend\"><span>{}</span>{}</div><div class=\"maps\">",
                       escape(opts.scale_title), detail::heat_scale(scale, frame).html)};
  for (int e = 0; e < shares.cols(); ++e) {
    Svg svg(w * opts.columns, h * rows, formatted("{}, expert {}", opts.label, e), "heat", true);
    for (int i = 0; i < shares.rows(); ++i) {
      const double v = shares(i, e);
      if (!std::isfinite(v)) continue;
      svg.rect(w * (i % opts.columns) + 0.5, h * (i / opts.columns) + 0.5, w - 1, h - 1,
               formatted("h{}", frame.step(v)),
               formatted("expert {}, row {}, column {}: {}", e, i / opts.columns + 1, i % opts.columns + 1,
                         detail::heat_value(scale, v)));
    }
    out.html += formatted("<div>{}{}</div>", chip(e, formatted("expert {}", e)).html, std::move(svg).done().html);
  }
  out.html += "</div></div>";
  return out;
}

}  // namespace moecnn::report
