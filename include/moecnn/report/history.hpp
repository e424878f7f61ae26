#pragma once
/// \file
/// From what the trainer recorded to curves: of the run, and of every mixture's use of its experts.

#include "moecnn/report/training_data.hpp"
#include "moecnn/train/result.hpp"

namespace moecnn::report {

/// Loss, accuracy, rate and speed per recorded step, and what the tests after the epochs found. A program that trains
/// on label maps also sets `per_pixel`.
inline Curves curves_of(const TrainResult& run) {
  Curves c;
  for (const StepRecord& s : run.steps) {
    c.loss.add(s.epoch, s.loss);
    c.balance_loss.add(s.epoch, s.balance_loss);
    c.train_accuracy.add(s.epoch, s.accuracy);
    c.learning_rate.add(s.epoch, s.lr);
    c.images_per_second.add(s.epoch, s.images_per_s);
  }
  for (const EpochRecord& e : run.epochs)
    if (e.test) {
      c.test_loss.add(e.epoch + 1, e.test->loss);
      c.test_accuracy.add(e.epoch + 1, e.test->top1);
      if (e.test->of_maps()) c.mean_iou.add(e.epoch + 1, e.test->mean_iou);
    }
  return c;
}

/// Load and importance over time of mixture `m`, as in TrainResult::mixtures.
inline void add_history(MixtureReport& to, const TrainResult& run, std::size_t m) {
  for (const StepRecord& s : run.steps) {
    to.x.push_back(s.epoch);
    to.load.push_back(s.mixtures.at(m).load);
    to.importance.push_back(s.mixtures.at(m).importance);
  }
}

}  // namespace moecnn::report
