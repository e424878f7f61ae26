#pragma once
/// \file
/// The training loop.

#include "moecnn/model/model.hpp"
#include "moecnn/train/batches.hpp"
#include "moecnn/train/evaluate.hpp"
#include "moecnn/train/options.hpp"

namespace moecnn {

namespace detail {
TrainResult run_training(AnyModel& model, AnyBatches& train, AnyBatches* test, const TrainOpts& opts);
}

/// Trains `model` with the losses of its task on the batches of `train`. `test` is a second source (usually without shuffling and
/// augmentation) or NoBatches. Throws Error on bad options, files that cannot be written, a checkpoint of other settings
/// and a loss that is not finite.
template <BatchSource Train, class Test>
TrainResult fit(AnyModel& model, Train& train, Test& test, const TrainOpts& opts) {
  constexpr bool has_test = BatchSource<Test>;
  static_assert(has_test || std::is_same_v<Test, NoBatches>,
                "fit(): the test set is no BatchSource; see train/batches.hpp");
  BatchesOf<Train> batches(train);
  if constexpr (has_test) {
    BatchesOf<Test> test_batches(test);
    return detail::run_training(model, batches, &test_batches, opts);
  } else {
    return detail::run_training(model, batches, nullptr, opts);
  }
}

/// The same without a test set.
template <BatchSource Train>
TrainResult fit(AnyModel& model, Train& train, const TrainOpts& opts) {
  BatchesOf<Train> batches(train);
  return detail::run_training(model, batches, nullptr, opts);
}

}  // namespace moecnn

#if MOECNN_BODIES
#include "moecnn/train/trainer_impl.hpp"
#endif
