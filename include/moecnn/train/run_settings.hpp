#pragma once
/// \file
/// Settings that a checkpoint stores in words: those that a resumed run must have, and those that may differ.

#include "moecnn/train/batches.hpp"
#include "moecnn/train/graph_settings.hpp"
#include "moecnn/train/options.hpp"

namespace moecnn::detail {

inline void check_options(const TrainOpts& opts) {
  check(opts.epochs >= 1, "the number of epochs is {}, expected at least 1", opts.epochs);
  check(opts.max_steps >= 0 && opts.log_steps >= 1 && opts.clip_norm >= 0 && opts.checkpoint_steps >= 0,
        "training options: max_steps {}, clip_norm {} and checkpoint_steps {} must be 0 (off) or more, log_steps {} "
        "at least 1",
        opts.max_steps, opts.clip_norm, opts.checkpoint_steps, opts.log_steps);
  verify(opts.schedule);
}

/// The caller's, then the trainer's own, then the network's.
inline Settings settings_of(const TrainOpts& opts, const AnyBatches& train, int patience, const Graph& g) {
  Settings all = opts.settings;
  const auto add = [&](const char* name, std::string text) { all.emplace_back(name, std::move(text)); };
  add("training images",
      formatted("{} in {}", train.images_per_epoch(), counted(train.batches_per_epoch(), "batch", "batches")));
  if (const std::string text = train.text(); !text.empty()) add("batches", text);
  add("optimizer", text_of(opts.optimizer));
  if (!opts.groups.empty()) add("parameter groups", text_of(opts.groups));
  if (opts.no_decay_on_norms_and_biases) add("weight decay on norms and biases", "off");
  add("learning rate", text_of(opts.schedule));
  if (opts.accumulate > 1) add("gradient accumulation", counted(opts.accumulate, "batch", "batches"));
  add("gradient clipping", opts.clip_norm > 0 ? formatted("{}", opts.clip_norm) : "off");
  add("noise", opts.noise ? formatted("seed {}", opts.seed) : "off");
  add("watch", counted(patience, "step"));
  for (auto& setting : graph_settings(g)) all.push_back(std::move(setting));
  return all;
}

inline Settings notes_of(const TrainOpts& opts) {
  Settings all = opts.notes;
  all.emplace_back("epochs", formatted("{}", opts.epochs));
  return all;
}

}  // namespace moecnn::detail
