#pragma once
/// \file
/// Bars from zero, horizontal or vertical, one or several per category, each with its value written beside it.

#include "moecnn/report/line_chart.hpp"

namespace moecnn::report {

struct BarSeries {
  std::string name = {};
  std::vector<double> values = {};  ///< one per category; not finite = no bar
};

enum class Direction { horizontal, vertical };

struct BarChart {
  std::string label = {};  ///< for screen readers
  std::string value_title = {};
  std::string unit = {};  ///< after values, such as " %"
  int decimals = 1;       ///< of the values beside the bars
  Direction direction = Direction::horizontal;
  bool category_ink = true;              ///< category i has expert i's colour; later series of a group are paler
  std::optional<double> reference = {};  ///< a dashed line across all bars …
  std::string reference_name = {};       ///< … and what it means
  double width = 460;
  double height = 270;  ///< of vertical bars; horizontal ones are as high as they need to be
};

namespace detail {

struct BarFrame {
  const std::vector<std::string>& categories;
  const std::vector<BarSeries>& series;
  const BarChart& options;
  std::vector<double> ticks;

  std::string text(double v) const {
    if (!std::isfinite(v)) return "–";
    return (v < 0 ? "−" : "") + formatted("{:.{}f}{}", std::fabs(v), options.decimals, options.unit);
  }
  std::string css(std::size_t category, std::size_t s) const {
    if (options.category_ink) return "fl " + ink_class(static_cast<int>(category)) + (s > 0 ? " pale" : "");
    return "fl " + ink_class(s == 0 ? ink_main : s == 1 ? ink_second : ink_faint);
  }
  std::string spoken() const {
    std::string words = options.label + ":";
    for (std::size_t s = 0; s < series.size(); ++s)
      for (std::size_t c = 0; c < categories.size(); ++c) words += " " + title(c, s) + ";";
    return words;
  }
  std::string title(std::size_t category, std::size_t s) const {
    return categories[category] + (series[s].name.empty() ? "" : ", " + series[s].name) + ": " +
           text(series[s].values[category]);
  }
};

inline Markup horizontal_bars(const BarFrame& f) {
  const double thick = 16, group = thick * static_cast<double>(f.series.size()) + 11;
  const double top = f.options.reference ? 24 : 6;
  const double bottom = top + group * static_cast<double>(f.categories.size()) + 2;
  const double height = bottom + (f.options.value_title.empty() ? 22 : 40);
  double left = 0, values = 0;
  for (const auto& c : f.categories) left = std::max(left, text_width(shorten(c, 20)) + 10);
  for (const auto& s : f.series)
    for (const double v : s.values) values = std::max(values, text_width(f.text(v)));
  const Scale x{.lo = f.ticks.front(), .hi = f.ticks.back(), .from = left, .to = f.options.width - values - 8};
  Svg svg(f.options.width, height, f.spoken());
  const auto texts = tick_texts(f.ticks);
  for (std::size_t i = 0; i < f.ticks.size(); ++i) {
    svg.line(x(f.ticks[i]), top, x(f.ticks[i]), bottom, f.ticks[i] == 0 ? "axis" : "grid");
    svg.text(x(f.ticks[i]), bottom + 16, texts[i], "mid");
  }
  if (!f.options.value_title.empty()) svg.text((x.from + x.to) / 2, bottom + 34, f.options.value_title, "mid");
  if (f.options.reference) {
    const double at = x(*f.options.reference);
    svg.line(at, top - 4, at, bottom, "ref");
    svg.text(at, top - 9, f.options.reference_name, "mid");
  }
  for (std::size_t c = 0; c < f.categories.size(); ++c) {
    const double y = top + group * static_cast<double>(c) + 5;
    svg.text(left - 8, y + (group - 11) / 2 + 4, shorten(f.categories[c], 20), "lab end");
    for (std::size_t s = 0; s < f.series.size(); ++s) {
      const double v = f.series[s].values[c], at = y + thick * static_cast<double>(s);
      if (std::isfinite(v))
        svg.rect(std::min(x(0), x(v)), at + 0.5, std::fabs(x(v) - x(0)), thick - 1, f.css(c, s), f.title(c, s));
      const double text = (std::isfinite(v) ? std::max(x(v), x(0)) : x(0)) + 5, width = text_width(f.text(v));
      if (f.options.reference && x(*f.options.reference) > text - 2 && x(*f.options.reference) < text + width)
        svg.rect(text - 2, at + 0.5, width, thick - 1, "ground");  // the line does not run through the number
      svg.text(text, at + thick / 2 + 4, f.text(v), "val small");
    }
  }
  return std::move(svg).done();
}

inline Markup vertical_bars(const BarFrame& f) {
  const double top = f.options.value_title.empty() ? 14 : 34, bottom = f.options.height - 24;
  const auto texts = tick_texts(f.ticks);
  const double left = widest(texts) + 10, right = f.options.width - 4;
  const Scale y{.lo = f.ticks.front(), .hi = f.ticks.back(), .from = bottom, .to = top};
  Svg svg(f.options.width, f.options.height, f.spoken());
  for (std::size_t i = 0; i < f.ticks.size(); ++i) {
    svg.line(left, y(f.ticks[i]), right, y(f.ticks[i]), f.ticks[i] == 0 ? "axis" : "grid");
    svg.text(left - 8, y(f.ticks[i]) + 4, texts[i], "end");
  }
  if (!f.options.value_title.empty()) svg.text(0, 12, f.options.value_title);
  const double slot = (right - left) / static_cast<double>(f.categories.size());
  const double thick = std::min(34.0, slot * 0.72 / static_cast<double>(f.series.size()));
  double widest_value = 0, widest_name = 0;
  for (const auto& s : f.series)
    for (const double v : s.values) widest_value = std::max(widest_value, text_width(f.text(v)));
  for (const auto& c : f.categories) widest_name = std::max(widest_name, text_width(shorten(c, 12)));
  const bool values_fit = widest_value <= slot * 0.9 / static_cast<double>(f.series.size());
  const auto every = static_cast<std::size_t>(std::ceil((widest_name + 4) / slot));  // names that fit: each, each 2nd …
  for (std::size_t c = 0; c < f.categories.size(); ++c) {
    const double middle = left + slot * (static_cast<double>(c) + 0.5);
    for (std::size_t s = 0; s < f.series.size(); ++s) {
      const double v = f.series[s].values[c];
      const double at = middle + thick * (static_cast<double>(s) - static_cast<double>(f.series.size()) / 2);
      if (!std::isfinite(v)) continue;
      svg.rect(at + 0.5, std::min(y(v), y(0)), thick - 1, std::fabs(y(0) - y(v)), f.css(c, s), f.title(c, s));
      if (values_fit) svg.text(at + thick / 2, std::min(y(v), y(0)) - 5, f.text(v), "val mid");
    }
    if (c % std::max<std::size_t>(1, every) == 0)
      svg.text(middle, bottom + 17, shorten(f.categories[c], 12), "lab mid");
  }
  if (f.options.reference) {
    svg.line(left, y(*f.options.reference), right, y(*f.options.reference), "ref");
    svg.text(right, y(*f.options.reference) - 5, f.options.reference_name, "end");
  }
  return std::move(svg).done();
}

}  // namespace detail

/// Draws one group of bars per category; throws when a series has another number of values.
inline Markup bar_chart(const std::vector<std::string>& categories, const std::vector<BarSeries>& series,
                        const BarChart& options) {
  Range range;
  for (const BarSeries& s : series) {
    check(s.values.size() == categories.size(), "bar chart '{}': '{}' has {} values for {} categories", options.label,
          s.name, s.values.size(), categories.size());
    for (const double v : s.values) range.add(v);
  }
  if (range.empty()) return empty_chart(options.width, 120, options.label);
  range.add(0);
  if (options.reference) range.add(*options.reference);
  const detail::BarFrame frame{categories, series, options, round_ticks(range.lo, range.hi, 5)};
  return options.direction == Direction::horizontal ? detail::horizontal_bars(frame) : detail::vertical_bars(frame);
}

}  // namespace moecnn::report
