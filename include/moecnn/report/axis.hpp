#pragma once
/// \file
/// Shared by all charts with axes: scales, round ticks, labels that do not overlap, thinning of long curves.

#include "moecnn/report/text.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <vector>

namespace moecnn::report {

/// Smallest and largest value; what is not finite or beyond any axis (1e150) does not count. empty(): none counted.
struct Range {
  double lo = std::numeric_limits<double>::infinity(), hi = -std::numeric_limits<double>::infinity();

  bool empty() const { return !(lo <= hi); }
  void add(double v) {
    if (std::fabs(v) < 1e150) lo = std::min(lo, v), hi = std::max(hi, v);
  }
};

/// Round numbers (1, 2, 5 · 10^n apart) from at or below `lo` to at or above `hi`, about `wanted` of them.
inline std::vector<double> round_ticks(double lo, double hi, int wanted) {
  const double size = std::max(std::fabs(lo), std::fabs(hi));
  if (!(hi - lo > size * 1e-9) || hi - lo < 1e-250) {  // one value, as far as an axis can tell
    const bool zero = size < 1e-250;
    hi = zero ? 1 : lo + size * 0.1, lo = zero ? 0 : lo - size * 0.1;
  }
  const double rough = (hi - lo) / std::max(1, wanted);
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  const double m = rough / power;
  const double step = power * (m <= 1.0001 ? 1 : m <= 2.0001 ? 2 : m <= 5.0001 ? 5 : 10);
  std::vector<double> ticks;
  const double first = std::floor(lo / step + 1e-9), last = std::ceil(hi / step - 1e-9);
  for (double i = first; i <= last && ticks.size() < 64; ++i) ticks.push_back(i * step);
  return ticks;
}

/// Ticks of a logarithmic axis that enclose lo … hi (> 0): decades, with 2 and 5 between when there are but one or two.
inline std::vector<double> log_ticks(double lo, double hi) {
  const int first = static_cast<int>(std::floor(std::log10(lo) + 1e-9));
  const int last = static_cast<int>(std::ceil(std::log10(hi) - 1e-9));
  const int every = std::max(1, (last - first + 5) / 6);
  std::vector<double> ticks;
  if (last - first <= 1) {
    for (int e = first; e <= last; ++e)
      for (const double m : {1.0, 2.0, 5.0}) ticks.push_back(m * std::pow(10.0, e));
    while (ticks.size() > 2 && ticks[1] <= lo * 1.0001) ticks.erase(ticks.begin());
    while (ticks.size() > 2 && ticks[ticks.size() - 2] >= hi * 0.9999) ticks.pop_back();
  } else {
    for (int e = first; e < last + every; e += every) ticks.push_back(std::pow(10.0, e));
  }
  return ticks;
}

/// Tick texts with as many decimals as the step needs, so that all of one axis agree.
inline std::vector<std::string> tick_texts(const std::vector<double>& ticks, bool log = false) {
  std::vector<std::string> texts;
  const double step = ticks.size() > 1 ? ticks[1] - ticks[0] : 1;
  const double largest = ticks.empty() ? 1 : std::max(std::fabs(ticks.front()), std::fabs(ticks.back()));
  const bool powers = largest >= 1e7 || (largest < 1e-3 && largest > 0) || (log && ticks.front() < 1e-3);
  const double unit = !powers && largest >= 1e4 ? 1e3 : 1;
  const double digits = std::ceil(-std::log10(std::max(step / unit, 1e-300)) - 1e-9);
  for (const double t : ticks) {
    if (powers || log) {
      texts.push_back(!powers ? formatted("{:g}", t) : t == 0 ? "0" : t < 0 ? "−" + scientific(-t) : scientific(t));
      continue;
    }
    std::string text =
        formatted("{:.{}f}{}", t / unit, static_cast<int>(std::clamp(digits, 0.0, 6.0)), unit > 1 && t != 0 ? "k" : "");
    if (text.starts_with('-')) text = "−" + text.substr(1);
    texts.push_back(std::move(text));
  }
  return texts;
}

/// Fractions as percents.
inline std::vector<double> in_percent(std::vector<double> values) {
  for (double& v : values) v *= 100;
  return values;
}

/// Maps a value to a coordinate.
struct Scale {
  double lo = 0, hi = 1, from = 0, to = 1;
  bool log = false;

  double operator()(double v) const {
    const double t = log ? (std::log(v) - std::log(lo)) / (std::log(hi) - std::log(lo)) : (v - lo) / (hi - lo);
    return from + (to - from) * std::clamp(t, -0.02, 1.02);  // what leaves the axis is drawn just outside it
  }
  bool shows(double v) const { return std::isfinite(v) && (!log || v > 0); }
};

/// Moves labels at `wanted` apart until neighbours are `gap` apart, inside lo … hi as far as they fit; keeps the order.
inline std::vector<double> spread(const std::vector<double>& wanted, double gap, double lo, double hi) {
  std::vector<std::size_t> order(wanted.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return wanted[a] < wanted[b]; });
  std::vector<double> at(wanted);
  double floor = lo;
  for (const std::size_t i : order) floor = (at[i] = std::max(at[i], floor)) + gap;
  double ceiling = hi;
  for (auto it = order.rbegin(); it != order.rend(); ++it) ceiling = (at[*it] = std::min(at[*it], ceiling)) - gap;
  return at;
}

/// Indices of at most about `most` points that keep the shape: of every bucket the lowest and the highest value, and
/// wherever a run of finite values ends, one gap. First and last are kept.
inline std::vector<std::size_t> thin(std::span<const double> y, std::size_t most) {
  std::vector<std::size_t> keep;
  if (y.size() <= most) {
    keep.resize(y.size());
    std::iota(keep.begin(), keep.end(), std::size_t{0});
    return keep;
  }
  const std::size_t buckets = std::max<std::size_t>(1, most / 2);
  keep.push_back(0);
  for (std::size_t b = 0; b < buckets; ++b) {
    const std::size_t first = b * y.size() / buckets, last = (b + 1) * y.size() / buckets;
    std::size_t low = last, high = last, gap = last;
    for (std::size_t i = first; i < last; ++i) {
      if (!std::isfinite(y[i])) {
        gap = i;
        continue;
      }
      if (low == last || y[i] < y[low]) low = i;
      if (high == last || y[i] > y[high]) high = i;
    }
    for (const std::size_t i : {low, high, gap})
      if (i < last) keep.push_back(i);
  }
  keep.push_back(y.size() - 1);
  std::sort(keep.begin(), keep.end());
  keep.erase(std::unique(keep.begin(), keep.end()), keep.end());
  return keep;
}

}  // namespace moecnn::report
