#pragma once
/// \file
/// How long a run will still take.

#include "moecnn/train/checkpoint.hpp"
#include "moecnn/train/options.hpp"

#include <cmath>

namespace moecnn::detail {

/// In seconds, tests included, where a batch takes `batch_seconds` and a test `test_seconds`.
inline double seconds_left(const TrainOpts& opts, const RunState& run, int batches_per_epoch, double batch_seconds,
                           double test_seconds) {
  const double epochs = static_cast<double>(opts.epochs - run.epoch);
  const double batches = epochs * batches_per_epoch - static_cast<double>(run.batch);
  const double most = static_cast<double>(opts.max_steps - run.step) * opts.accumulate;
  if (opts.max_steps > 0 && batches > most) return batch_seconds * most + test_seconds;
  return batch_seconds * batches + (opts.test_epochs > 0 ? test_seconds * std::ceil(epochs / opts.test_epochs) : 0);
}

}  // namespace moecnn::detail
