#pragma once
/// \file
/// From what the trainer recorded to curves: of the run, and of every mixture's use of its experts.

#include "moecnn/report/training_data.hpp"
#include "moecnn/train/result.hpp"
#include "moecnn/train/schedule.hpp"

namespace moecnn::report {

namespace detail {

/// Epochs begun at the end of `r`, from 1: the epoch that it lies in. 0 where the log has no number.
inline double epoch_of(const StepRecord& r) { return std::isfinite(r.epoch) ? std::ceil(r.epoch - 1e-6) : 0; }

/// Steps that `r` covers: those since the record before it, but none of an earlier epoch, for the first record of a log
/// may not be the first of the run. At least 1, whatever the log says.
inline double steps_of(const StepRecord& r, std::int64_t before) {
  double steps = static_cast<double>(r.step) - static_cast<double>(before);
  if (r.epoch > 0 && r.step > 0)
    steps = std::min(steps, static_cast<double>(r.step) * (1 - (epoch_of(r) - 1) / r.epoch));
  return std::max(1.0, std::round(steps));
}

/// Mean of two stretches of training, of `a` and `b` steps; what is no mean is the later one's.
inline StepRecord joined(const StepRecord& first, double a, StepRecord second, double b) {
  const auto mean = [&](double x, double& y) { y = (a * x + b * y) / (a + b); };
  mean(first.loss, second.loss);
  mean(first.balance_loss, second.balance_loss);
  mean(first.accuracy, second.accuracy);
  second.images_per_s = (a + b) / (a / first.images_per_s + b / second.images_per_s);  // images over seconds
  for (std::size_t m = 0; m < std::min(first.mixtures.size(), second.mixtures.size()); ++m)
    for (auto use : {&ExpertUse::load, &ExpertUse::importance}) {
      const std::vector<double>& from = first.mixtures[m].*use;
      std::vector<double>& to = second.mixtures[m].*use;
      for (std::size_t e = 0; e < std::min(from.size(), to.size()); ++e) mean(from[e], to[e]);
    }
  return second;
}

}  // namespace detail

/// Points of curves over time. The trainer also records at the end of every epoch, so a record can cover a single step,
/// whose mean is mostly chance. Records that cover fewer than half the steps of the longest one are joined with a
/// neighbour of the same epoch; values of a point are means over its steps.
inline std::vector<StepRecord> points_of(const TrainResult& run) {
  std::vector<double> steps;
  double longest = 0;
  for (std::size_t i = 0; i < run.steps.size(); ++i) {
    steps.push_back(detail::steps_of(run.steps[i], i > 0 ? run.steps[i - 1].step : 0));
    longest = std::max(longest, steps.back());
  }
  std::vector<StepRecord> points;
  double last = 0;  // steps of the last point
  for (std::size_t i = 0; i < run.steps.size(); ++i) {
    const StepRecord& r = run.steps[i];
    const bool join = !points.empty() && detail::epoch_of(points.back()) == detail::epoch_of(r) &&
                      2 * std::min(last, steps[i]) < longest;
    if (join) {
      points.back() = detail::joined(points.back(), last, r, steps[i]);
      last += steps[i];
    } else {
      points.push_back(r);
      last = steps[i];
    }
  }
  return points;
}

/// Steps of an epoch; 0 where nothing was recorded.
inline int steps_per_epoch(const TrainResult& run) {
  double steps = 0;
  if (!run.steps.empty()) steps = static_cast<double>(run.steps.back().step) / run.steps.back().epoch;
  if (!run.epochs.empty()) steps = static_cast<double>(run.epochs[0].step) / (run.epochs[0].epoch + 1.0);
  return steps >= 1 && steps < 1e9 ? static_cast<int>(std::lround(steps)) : 0;
}

/// The learning rate that `schedule` gave to each step that was done, at the step's beginning; only where it changes. Of
/// runs above 100,000 steps every second, third, … step.
inline Curve rate_curve(const TrainResult& run, const AnySchedule& schedule) {
  Curve rate;
  const int batches = steps_per_epoch(run);
  if (batches == 0 || run.step <= 0 || run.step / batches > 1'000'000'000) return rate;
  const std::int64_t stride = 1 + run.step / 100'000;
  for (std::int64_t s = 0; s < run.step; s += stride) {
    const schedule::When when{static_cast<int>(s / batches), static_cast<int>(s % batches), batches};
    const double now = rate_at(schedule, when);
    if (rate.empty() || now != rate.y.back()) rate.add(when.in_epochs(), now);
  }
  rate.add(static_cast<double>(run.step) / batches, rate.y.back());
  return rate;
}

/// Loss, accuracy and speed over the steps, the numbers of every epoch, and what the tests after them found. Without a
/// `schedule` there is no learning rate, without a balance loss no curve of it. A program that trains on label maps also
/// sets `per_pixel`, one that augments images `augmented`.
inline Curves curves_of(const TrainResult& run, const std::optional<AnySchedule>& schedule = {}) {
  Curves c;
  for (const StepRecord& s : points_of(run)) {
    c.loss.add(s.epoch, s.loss);
    c.balance_loss.add(s.epoch, s.balance_loss);
    c.train_accuracy.add(s.epoch, s.accuracy);
    c.images_per_second.add(s.epoch, s.images_per_s);
  }
  const auto nothing = [](double v) { return v == 0; };
  if (std::all_of(c.balance_loss.y.begin(), c.balance_loss.y.end(), nothing)) c.balance_loss = {};
  if (schedule) c.learning_rate = rate_curve(run, *schedule);
  for (const EpochRecord& e : run.epochs) {
    c.loss.add_epoch(e.epoch + 1, e.loss);
    if (!c.balance_loss.empty()) c.balance_loss.add_epoch(e.epoch + 1, e.balance_loss);
    c.train_accuracy.add_epoch(e.epoch + 1, e.accuracy);
    c.images_per_second.add_epoch(e.epoch + 1, e.images_per_s);
    if (schedule) c.learning_rate.add_epoch(e.epoch + 1, e.lr);
    if (!e.test) continue;
    c.test_loss.add(e.epoch + 1, e.test->loss);
    c.test_accuracy.add(e.epoch + 1, e.test->accuracy());
    if (e.test->of_maps()) c.mean_iou.add(e.epoch + 1, e.test->mean_iou());
  }
  return c;
}

/// Load and importance over time of mixture `m`, as in TrainResult::mixtures.
inline void add_history(MixtureReport& to, const TrainResult& run, std::size_t m) {
  for (const StepRecord& s : points_of(run)) {
    to.x.push_back(s.epoch);
    to.load.push_back(s.mixtures.at(m).load);
    to.importance.push_back(s.mixtures.at(m).importance);
  }
}

}  // namespace moecnn::report
