#pragma once
/// \file
/// How long something takes that is done over and over.

#include "moecnn/core/error.hpp"

#include <algorithm>
#include <chrono>
#include <vector>

namespace moecnn::analysis {

struct TimingOpts {
  int warm_up = 2;  ///< runs that do not count: the first ones fold, reorder and touch memory for the first time
  int runs = 9;     ///< that count
};

/// Seconds of `action()`: the median of several runs in a row, after some that do not count.
///
///     program.set_images(images);
///     const double seconds = analysis::median_seconds([&] { program.forward(step); });
template <class Clock = std::chrono::steady_clock, class Action>
double median_seconds(Action&& action, TimingOpts opts = {}) {
  check(opts.warm_up >= 0 && opts.runs >= 1,
        "timing: {} runs to warm up, {} that count; expected 0 or more, and 1 or more", opts.warm_up, opts.runs);
  for (int i = 0; i < opts.warm_up; ++i) action();
  std::vector<double> seconds;
  for (int i = 0; i < opts.runs; ++i) {
    const auto start = Clock::now();
    action();
    seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  std::sort(seconds.begin(), seconds.end());
  const std::size_t half = seconds.size() / 2;
  return seconds.size() % 2 == 1 ? seconds[half] : (seconds[half - 1] + seconds[half]) / 2;
}

}  // namespace moecnn::analysis
