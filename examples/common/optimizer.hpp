#pragma once
/// The optimiser and the warm-up that the command line asks for.

#include <moecnn/train/optimizer.hpp>
#include <moecnn/train/schedule.hpp>

/// `o` has `optimizer`, `momentum`, `nesterov` and `weight_decay`.
template <class Options>
moecnn::AnyOptimizer optimizer_of(const Options& o) {
  if (o.optimizer == "sgd")
    return moecnn::Sgd{.momentum = o.momentum, .nesterov = o.nesterov, .weight_decay = o.weight_decay};
  if (o.optimizer == "adamw") return moecnn::AdamW{.weight_decay = o.weight_decay};
  return moecnn::Adam{.weight_decay = o.weight_decay};
}

/// A schedule without a warm-up of its own, behind one of `epochs` epochs from a thousandth of its rate; 0: none.
template <class Schedule>
moecnn::AnySchedule warmed_up(Schedule schedule, double epochs) {
  if (epochs == 0) return schedule;
  return moecnn::schedule::LinearWarmUp{.then = std::move(schedule), .epochs = epochs};
}
