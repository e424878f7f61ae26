#pragma once
/// \file
/// Line charts: one or several series, gaps where values are missing, optional logarithmic and right axis, each line
/// named at its end, values shown on hovering without a script.

#include "moecnn/core/error.hpp"
#include "moecnn/report/axis.hpp"
#include "moecnn/report/svg.hpp"

#include <array>
#include <optional>

namespace moecnn::report {

struct Series {
  std::string name = {};
  std::vector<double> x = {}, y = {};  ///< equally long; a y that is not finite is a gap
  int ink = ink_main;                  ///< an expert's number or an Ink
  bool right = false;                  ///< drawn against the right axis
  bool background = false;             ///< thin and pale, not named: the raw values behind a smoothed line
  bool dashed = false;
  bool steps = false;                    ///< a value holds until the next one
  std::optional<double> end_value = {};  ///< what the label at the line's end says instead of the last y
};

struct LineChart {
  std::string label = {};                                    ///< for screen readers: what the chart shows
  std::string x_title = {}, y_title = {}, right_title = {};  ///< with units
  std::string unit = {};                                     ///< after values in labels, such as " %"
  bool log_y = false;                                        ///< left axis; values ≤ 0 are gaps
  int decimals = -1;                                         ///< of values in labels; -1: about three figures
  std::optional<double> x_min = {}, x_max = {};              ///< the x axis reaches at least so far
  std::optional<double> y_min = {}, y_max = {};              ///< the left axis reaches at least so far
  double least_span = 0;      ///< the left axis spans at least this, so that small differences look small …
  double most = 1e150;        ///< … but does not reach beyond this for it, nor below 0
  bool print_values = false;  ///< writes every value beside its point
  bool whole_x = false;       ///< x counts something: no ticks between whole numbers
  double width = 460, height = 270;
};

namespace detail {

/// Widens `range` on both sides to `span`, within 0 … `most` where the values are.
inline void widen(Range& range, double span, double most) {
  const double missing = span - (range.hi - range.lo);
  if (!(missing > 0)) return;
  double lo = range.lo - missing / 2, hi = range.hi + missing / 2;
  if (range.hi <= most && hi > most) lo -= hi - most, hi = most;
  if (range.lo >= 0 && lo < 0) hi -= lo, lo = 0;
  range.add(lo), range.add(hi);
}

/// Ticks and scale of one vertical axis over the series on it.
struct YAxis {
  std::vector<double> ticks;
  std::vector<std::string> texts;
  Scale scale;
  bool used = false;
};

inline YAxis y_axis(const std::vector<Series>& all, const LineChart& options, bool right, double top, double bottom) {
  YAxis axis;
  const bool log = options.log_y && !right;
  Range range;
  for (const Series& s : all)
    if (s.right == right)
      for (const double v : s.y)
        if (!log || v > 0) range.add(v);
  if (range.empty()) return axis;
  if (!right && options.y_min && (!log || *options.y_min > 0)) range.add(*options.y_min);
  if (!right && options.y_max) range.add(*options.y_max);
  if (!right && !log) widen(range, options.least_span, options.most);
  if (log && range.lo == range.hi) range.add(range.lo / 2), range.add(range.hi * 2);
  axis.used = true;
  axis.ticks = log ? log_ticks(range.lo, range.hi) : round_ticks(range.lo, range.hi, 5);
  axis.texts = tick_texts(axis.ticks, log);
  axis.scale = {.lo = axis.ticks.front(), .hi = axis.ticks.back(), .from = bottom, .to = top, .log = log};
  return axis;
}

inline double widest(const std::vector<std::string>& texts) {
  double w = 0;
  for (const auto& t : texts) w = std::max(w, text_width(t));
  return w;
}

/// The x axis below `bottom`: line, round ticks (`whole` numbers if asked) inside the data's range, title.
inline void draw_x_axis(Svg& svg, const Scale& x, double bottom, const std::string& title, bool whole = false) {
  const double pad = (x.hi - x.lo) * 1e-6;
  std::vector<double> ticks;
  for (const double t : round_ticks(x.lo, x.hi, 6))
    if (t >= x.lo - pad && t <= x.hi + pad && (!whole || t == std::round(t))) ticks.push_back(t);
  const auto texts = tick_texts(ticks);
  svg.line(x.from, bottom, x.to, bottom, "axis");
  for (std::size_t i = 0; i < ticks.size(); ++i) {
    svg.line(x(ticks[i]), bottom, x(ticks[i]), bottom + 4, "axis");
    svg.text(x(ticks[i]), bottom + 17, texts[i], "mid");
  }
  if (!title.empty()) svg.text((x.from + x.to) / 2, bottom + 34, title, "mid");
}

/// The curve as one path; points with missing neighbours become dots.
inline void draw_curve(Svg& svg, const Series& s, const Scale& x, const Scale& y, std::size_t most) {
  std::vector<double> shown(s.y);
  for (double& v : shown)
    if (!y.shows(v)) v = std::numeric_limits<double>::quiet_NaN();
  const auto keep = thin(shown, most);
  std::string d;
  std::size_t run = 0;
  double last_x = 0, last_y = 0;
  const std::string ink = ink_class(s.ink);
  const auto end_run = [&] {
    if (run == 1) svg.circle(last_x, last_y, s.background ? 1.2 : 3, "fl " + ink);
    run = 0;
  };
  for (const std::size_t i : keep) {
    if (!std::isfinite(shown[i]) || !std::isfinite(s.x[i])) {
      end_run();
      continue;
    }
    last_x = x(s.x[i]), last_y = y(shown[i]);
    if (run > 0 && s.steps) d += "H" + px(last_x);
    d += (run == 0 ? "M" : "L") + px(last_x) + " " + px(last_y);
    ++run;
  }
  end_run();
  if (!d.empty()) svg.path(d, formatted("ln {}{}{}", ink, s.background ? " thin" : "", s.dashed ? " dash" : ""));
}

/// A value as it stands in labels.
inline std::string label_value(const LineChart& options, const Series& s, double v) {
  if (s.right) return number(v);
  return (options.decimals < 0 || !std::isfinite(v) ? number(v) : formatted("{:.{}f}", v, options.decimals)) +
         options.unit;
}

/// Values beside their points, the last one aside, which has a label: below the first of several lines, else above.
inline void draw_values(Svg& svg, const std::vector<Series>& all, const LineChart& options, const Scale& x,
                        const Scale& y) {
  for (const Series& s : all)
    for (std::size_t i = 0; i + 1 < s.y.size(); ++i) {
      if (!std::isfinite(s.y[i]) || s.right || s.background) continue;
      const std::string text = options.decimals < 0 ? number(s.y[i]) : formatted("{:.{}f}", s.y[i], options.decimals);
      const bool below = all.size() > 1 && &s == &all[0] && y(s.y[i]) + 20 < y.from;
      svg.circle(x(s.x[i]), y(s.y[i]), 2.6, "fl " + ink_class(s.ink));
      svg.text(x(s.x[i]), y(s.y[i]) + (below ? 18 : -8), text, "val mid small");
    }
}

/// Index of the last finite value, or -1.
inline int last_finite(const std::vector<double>& y) {
  for (int i = static_cast<int>(y.size()) - 1; i >= 0; --i)
    if (std::isfinite(y[i])) return i;
  return -1;
}

/// Invisible stripes, one per x of the longest named series (at most 60), that show the values there.
inline void draw_hover(Svg& svg, const std::vector<Series>& all, const LineChart& options, const Scale& x, double top,
                       double bottom) {
  const Series* longest = nullptr;
  for (const Series& s : all)
    if (!s.background && (longest == nullptr || s.x.size() > longest->x.size())) longest = &s;
  if (longest == nullptr || longest->x.empty()) return;
  const std::size_t n = longest->x.size(), stripes = std::min<std::size_t>(n, 60);
  const auto at = [&](std::size_t i) { return longest->x[stripes < 2 ? 0 : i * (n - 1) / (stripes - 1)]; };
  for (std::size_t i = 0; i < stripes; ++i) {
    if (!std::isfinite(at(i))) continue;
    std::string title = formatted("{} {:g}", options.x_title, std::round(at(i) * 1000) / 1000);
    for (const Series& s : all) {
      if (s.background || s.x.empty()) continue;
      std::size_t nearest = 0;
      for (std::size_t j = 0; j < s.x.size(); ++j)
        if (std::fabs(s.x[j] - at(i)) < std::fabs(s.x[nearest] - at(i))) nearest = j;
      if (std::isfinite(s.y[nearest]))
        title += "\n" + (s.name.empty() ? "" : s.name + ": ") + label_value(options, s, s.y[nearest]);
    }
    const double left = i == 0 ? x.from : (x(at(i - 1)) + x(at(i))) / 2;
    const double right = i + 1 == stripes ? x.to : (x(at(i)) + x(at(i + 1))) / 2;
    if (right > left) svg.rect(left, top, right - left, bottom - top, "hit", title);
  }
}

}  // namespace detail

/// Draws `series`; throws when a series' x and y differ in length. A point whose x is not finite is a gap, too.
inline Markup line_chart(std::vector<Series> series, const LineChart& options) {
  for (const Series& s : series)
    check(s.x.size() == s.y.size(), "line chart '{}': series '{}' has {} x and {} y values; expected equally many",
          options.label, s.name, s.x.size(), s.y.size());
  for (Series& s : series)
    for (std::size_t i = 0; i < s.x.size(); ++i)
      if (!std::isfinite(s.x[i])) s.y[i] = std::numeric_limits<double>::quiet_NaN();
  const double top = options.y_title.empty() && options.right_title.empty() ? 10 : 30;
  const double bottom = options.height - (options.x_title.empty() ? 24 : 42);
  std::array<detail::YAxis, 2> axes{detail::y_axis(series, options, false, top, bottom),
                                    detail::y_axis(series, options, true, top, bottom)};
  Range xs;
  for (const Series& s : series)
    for (std::size_t i = 0; i < s.x.size(); ++i)
      if (axes[s.right].used && axes[s.right].scale.shows(s.y[i])) xs.add(s.x[i]);
  if (xs.empty()) return empty_chart(options.width, options.height, options.label);
  if (options.x_min) xs.add(*options.x_min);
  if (options.x_max) xs.add(*options.x_max);

  struct EndLabel {
    std::string text;
    double x, y;
    int ink;
  };
  std::vector<EndLabel> labels;
  double label_width = 0;
  for (const Series& s : series) {
    const int i = detail::last_finite(s.y);
    if (s.background || i < 0 || !axes[s.right].scale.shows(s.y[i])) continue;
    labels.push_back(
        {(s.name.empty() ? "" : s.name + " ") +
             detail::label_value(options, s, s.end_value && std::isfinite(*s.end_value) ? *s.end_value : s.y[i]),
         s.x[i], axes[s.right].scale(s.y[i]), s.ink});
    label_width = std::max(label_width, text_width(labels.back().text));
  }
  const bool named = static_cast<double>(labels.size()) * 14 <= bottom - top + 14;
  const double right_axis = axes[1].used ? detail::widest(axes[1].texts) + 14 : 0;
  const double left = axes[0].used ? detail::widest(axes[0].texts) + 10 : 10;
  const double right = options.width - right_axis - (named ? label_width + 12 : 8);
  const double pad = xs.hi > xs.lo ? 0 : 0.5;
  const double first = options.print_values ? 0.07 * (xs.hi - xs.lo) : 0;  // the first value is not on the axis
  const Scale x{.lo = xs.lo - pad - first, .hi = xs.hi + pad, .from = left, .to = right, .log = false};

  std::string spoken = options.label;
  for (std::size_t i = 0; i < labels.size(); ++i) spoken += (i == 0 ? "; last values: " : ", ") + labels[i].text;
  Svg svg(options.width, options.height, spoken);
  const auto& ruled = axes[axes[0].used ? 0 : 1];
  for (const double t : ruled.ticks) svg.line(left, ruled.scale(t), right, ruled.scale(t), "grid");
  for (std::size_t i = 0; i < axes[0].ticks.size(); ++i)
    svg.text(left - 8, axes[0].scale(axes[0].ticks[i]) + 4, axes[0].texts[i], "end");
  for (std::size_t i = 0; i < axes[1].ticks.size(); ++i)
    svg.text(options.width - right_axis + 14, axes[1].scale(axes[1].ticks[i]) + 4, axes[1].texts[i]);
  if (!options.y_title.empty()) svg.text(0, 12, options.y_title);
  if (!options.right_title.empty() && axes[1].used) svg.text(options.width, 12, options.right_title, "end");
  detail::draw_x_axis(svg, x, bottom, options.x_title, options.whole_x || xs.hi <= xs.lo);

  for (const bool background : {true, false})
    for (const Series& s : series)
      if (s.background == background && axes[s.right].used)
        detail::draw_curve(svg, s, x, axes[s.right].scale, background ? 500 : 400);
  if (options.print_values && axes[0].used) detail::draw_values(svg, series, options, x, axes[0].scale);
  if (named) {
    std::vector<double> wanted;
    for (const auto& l : labels) wanted.push_back(l.y);
    const auto at = spread(wanted, 15, top + 2, bottom - 2);
    const bool together = std::all_of(labels.begin(), labels.end(), [&](const auto& l) { return l.x == labels[0].x; });
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const double from = x(labels[i].x), names = together ? from : right;
      if (std::fabs(at[i] - labels[i].y) > 5 && names - from < 1)
        svg.path(formatted("M{} {}L{} {}", px(from + 1), px(labels[i].y), px(names + 8), px(at[i])), "lead");
      svg.circle(from, labels[i].y, 2.6, "fl " + ink_class(labels[i].ink));
      svg.text(names + 10, at[i] + 4, labels[i].text, "lab");
    }
  }
  detail::draw_hover(svg, series, options, x, top, bottom);
  if (named) return std::move(svg).done();
  std::vector<std::string> texts;
  std::vector<int> inks;
  for (const auto& l : labels) texts.push_back(l.text), inks.push_back(l.ink);
  return {legend(texts, inks).html + std::move(svg).done().html};
}

/// Mean of the values in a window of `width` points around each; shorter at the ends; values that are not finite are
/// left out of the mean and stay gaps.
inline std::vector<double> moving_average(const std::vector<double>& y, std::size_t width) {
  std::vector<double> out(y.size(), std::numeric_limits<double>::quiet_NaN());
  const std::size_t half = width / 2;
  double sum = 0;
  std::size_t first = 0, last = 0, count = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    for (; last < std::min(y.size(), i + half + 1); ++last)
      if (std::isfinite(y[last])) sum += y[last], ++count;
    for (; first + half < i; ++first)
      if (std::isfinite(y[first])) sum -= y[first], --count;
    if (std::isfinite(y[i]) && count > 0) out[i] = sum / static_cast<double>(count);
  }
  return out;
}

}  // namespace moecnn::report
