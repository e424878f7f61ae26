#pragma once
/// \file
/// A matrix as coloured cells on a sequential scale, with row and column names, values and a scale beside it.

#include "moecnn/core/error.hpp"
#include "moecnn/core/matrix.hpp"
#include "moecnn/report/axis.hpp"
#include "moecnn/report/style.hpp"
#include "moecnn/report/svg.hpp"

namespace moecnn::report {

struct HeatMap {
  std::string label = {};                            ///< for screen readers
  std::string scale_title = {};                      ///< what a colour means, with unit
  std::vector<std::string> rows = {}, columns = {};  ///< names
  bool expert_columns = true;                        ///< column j carries expert j's colour
  bool slanted_columns = false;                      ///< long column names run upwards, so cells can be narrow
  bool as_percent = true;                            ///< values are shares 0 … 1, shown in percent
  bool print_values = false;                         ///< writes the value into each cell
  double print_from = 0;                             ///< … where it is larger than this
  std::size_t name_length = 20;                      ///< longer row names are cut
  std::size_t rows_per_panel = 40;                   ///< more rows are broken into panels side by side
  double cell_width = 0, cell_height = 0;            ///< 0: what fits
  double most = 0;                                   ///< value of the darkest cell; 0: the largest value
};

namespace detail {

inline constexpr double slant = 50;  ///< degrees, of slanted column names

struct HeatFrame {
  double cell_w, cell_h, names, head, most;
  double tail = 0;  ///< what slanted names need to the right of the last column

  int step(double v) const {
    const double t = std::clamp(v / most, 0.0, 1.0);
    return static_cast<int>(std::lround(t * (heat_steps - 1)));
  }
};

inline std::string heat_value(const HeatMap& map, double v) {
  if (!std::isfinite(v)) return "–";
  return map.as_percent ? percent(v, v > 0 && v < 0.0995 ? 1 : 0) : number(v);
}

inline Markup heat_panel(const HeatMap& map, const Matrix& values, const HeatFrame& f, std::size_t first,
                         std::size_t last) {
  const double width = f.names + f.cell_w * static_cast<double>(map.columns.size()) + 2 + f.tail;
  const double height = f.head + f.cell_h * static_cast<double>(last - first);
  Svg svg(width, height, formatted("{}, rows {} to {}", map.label, first + 1, last), "heat", true);
  for (std::size_t j = 0; j < map.columns.size(); ++j) {
    const double x = f.names + f.cell_w * static_cast<double>(j);
    if (map.slanted_columns)
      svg.slanted_text(x + f.cell_w / 2 + 3, f.head - 10, slant, shorten(map.columns[j], map.name_length), "small");
    else
      svg.text(x + f.cell_w / 2, f.head - 10, map.columns[j], "mid small");
    if (map.expert_columns) svg.rect(x + 0.5, f.head - 6, f.cell_w - 1, 3, "fl " + ink_class(static_cast<int>(j)));
  }
  for (std::size_t i = first; i < last; ++i) {
    const double y = f.head + f.cell_h * static_cast<double>(i - first);
    svg.text(f.names - 8, y + f.cell_h / 2 + 4, shorten(map.rows[i], map.name_length), "lab end small");
    for (std::size_t j = 0; j < map.columns.size(); ++j) {
      const double x = f.names + f.cell_w * static_cast<double>(j);
      const double v = values(static_cast<int>(i), static_cast<int>(j));
      if (!std::isfinite(v)) continue;
      const int step = f.step(v);
      svg.rect(x + 0.5, y + 0.5, f.cell_w - 1, f.cell_h - 1, formatted("h{}", step),
               formatted("{} × {}: {}", map.rows[i], map.columns[j], heat_value(map, v)));
      if (map.print_values && v > map.print_from) {
        const std::string text = map.as_percent ? formatted("{:.0f}", v * 100) : number(v);
        svg.text(x + f.cell_w / 2, y + f.cell_h / 2 + 4, text,
                 step < heat_steps * 5 / 12 ? "mid small low" : "mid small high");
      }
    }
  }
  return std::move(svg).done();
}

inline Markup heat_scale(const HeatMap& map, const HeatFrame& f) {
  const double step = 16;
  Svg svg(step * heat_steps + 40, 34, map.scale_title + ", scale", "scale", true);
  for (int i = 0; i < heat_steps; ++i) svg.rect(step * i, 2, step, 10, formatted("h{}", i));
  for (const double t : {0.0, 0.5, 1.0})
    svg.text(std::max(step * heat_steps * t, 0.0), 27, heat_value(map, f.most * t), t == 0 ? "small" : "mid small");
  return std::move(svg).done();
}

}  // namespace detail

/// Draws `values` (rows × columns, ≥ 0; a value that is not finite leaves its cell empty).
inline Markup heat_map(const Matrix& values, const HeatMap& map) {
  check(static_cast<std::size_t>(values.rows()) == map.rows.size() &&
            static_cast<std::size_t>(values.cols()) == map.columns.size(),
        "heat map '{}': {}x{} values for {} row and {} column names", map.label, values.rows(), values.cols(),
        map.rows.size(), map.columns.size());
  Range range;
  for (const double v : values.flat()) range.add(v);
  if (range.empty()) return empty_chart(460, 120, map.label);
  const std::size_t n = map.columns.size();
  const std::size_t panels = (map.rows.size() + map.rows_per_panel - 1) / map.rows_per_panel;
  const std::size_t per_panel = (map.rows.size() + panels - 1) / panels;
  detail::HeatFrame f{};
  double widest_column = 0;
  for (const auto& c : map.columns) widest_column = std::max(widest_column, text_width(shorten(c, map.name_length)));
  f.cell_w = map.cell_width > 0 ? map.cell_width : map.print_values ? (n <= 12 ? 36 : 28) : n <= 4 ? 26 : 15;
  if (!map.slanted_columns) f.cell_w = std::max(f.cell_w, widest_column);
  f.cell_h = map.cell_height > 0 ? map.cell_height : map.print_values ? 22 : 16;
  for (const auto& r : map.rows)
    f.names = std::max(f.names, 6.7 * static_cast<double>(characters(shorten(r, map.name_length))) + 12);
  f.head = 24;
  if (map.slanted_columns)
    f.head = 20 + 0.77 * widest_column, f.tail = std::max(0.0, 0.65 * widest_column - f.cell_w / 2);
  f.most = map.most > 0 ? map.most : range.hi > 0 ? range.hi : 1;

  const double natural = f.names + f.cell_w * static_cast<double>(n) + f.tail;
  Markup out{formatted("<div class=\"heatmap\"><div class=\"legend\"><span>{}</span>{}</div>", escape(map.scale_title),
                       detail::heat_scale(map, f).html)};
  out.html += formatted("<div class=\"panels\" style=\"--w:{:.0f}px\">", natural);
  for (std::size_t first = 0; first < map.rows.size(); first += per_panel)
    out.html += "<div class=\"panel\">" +
                detail::heat_panel(map, values, f, first, std::min(map.rows.size(), first + per_panel)).html + "</div>";
  out.html += "</div></div>";
  return out;
}

}  // namespace moecnn::report
