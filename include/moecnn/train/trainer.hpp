#pragma once
/// \file
/// The training loop.

#include "moecnn/train/evaluate.hpp"
#include "moecnn/train/options.hpp"

namespace moecnn {

/// Trains `model` with cross-entropy on the batches of `train`. `test` is a second source (usually without shuffling and
/// augmentation) or NoBatches{}.
template <class Net, class Backend, BatchSource Train, class Test = NoBatches>
TrainResult fit(Model<Net, Backend>& model, Train& train, Test&& test, const TrainOpts& opts);

template <class Net, class Backend, BatchSource Train>
TrainResult fit(Model<Net, Backend>& model, Train& train, const TrainOpts& opts);

}  // namespace moecnn
