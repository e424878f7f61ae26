#pragma once
/// What --optimizer and the options beside it mean.

#include <moecnn/train/optimizer.hpp>

/// `o` has `optimizer`, `momentum`, `nesterov` and `weight_decay`.
template <class Options>
moecnn::AnyOptimizer optimizer_of(const Options& o) {
  if (o.optimizer == "sgd")
    return moecnn::Sgd{.momentum = o.momentum, .nesterov = o.nesterov, .weight_decay = o.weight_decay};
  if (o.optimizer == "adamw") return moecnn::AdamW{.weight_decay = o.weight_decay};
  return moecnn::Adam{.weight_decay = o.weight_decay};
}
