#pragma once
/// The options of the program and their meaning. command_line.hpp adds them to the command line.

#include "../common/machine.hpp"
#include "../common/network_options.hpp"
#include "../common/optimizer.hpp"
#include "network.hpp"

#include <moecnn/data/folder_loader.hpp>

#include <charconv>

namespace classify {

using namespace moecnn;

struct Options : NetworkOptions, ExpertChoice, MachineOptions {
  // data
  std::string data, val = "0.1";
  int size = 64, batch = 32, loader_threads = 1;
  bool augment = true;
  double smallest_crop = 0.35, most_broken = 0.05;
  // training
  int epochs = 30, accumulate = 1;
  std::string optimizer = "adamw", schedule = "cosine";
  std::optional<double> lr;
  double momentum = 0.9, weight_decay = 0.01, warm_up = 1, smoothing = 0.1;
  bool nesterov = false, resume = false, overwrite = false;
  std::optional<double> clip;
  std::optional<long long> max_steps;
  std::string backbone, out = "out/classify";
  double backbone_rate = 1;
  std::vector<std::string> freeze;
  // use
  std::string weights;
  std::vector<std::string> pictures;
  std::string page;  ///< of `predict`, HTML; empty: none
  int top = 3;

  /// The share of --data that is cut off for validation; none: --val is a folder.
  std::optional<double> val_share() const {
    double share = 0;
    const auto [end, error] = std::from_chars(val.data(), val.data() + val.size(), share);
    return error == std::errc() && end == val.data() + val.size() ? std::optional(share) : std::nullopt;
  }
  double base_rate() const { return lr.value_or(optimizer == "sgd" ? 0.05 : 1e-3); }
  PhotoNet net(int classes) const { return {.body = NetworkOptions::net(), .classes = classes}; }
  data::FolderAugment middle() const { return {}; }
};

/// Options that describe a trained network: they are written into its weights.
inline Settings lasting_options(const Options& o) {
  Settings all = lasting_network(o);
  all.emplace_back("size", fmt::format("{}", o.size));
  return all;
}

inline AnySchedule schedule_of(const Options& o) {
  const double lr = o.base_rate();
  if (o.schedule == "constant") return warmed_up(schedule::Constant{.rate = lr}, o.warm_up);
  if (o.schedule == "cosine") return schedule::Cosine{.base = lr, .epochs = o.epochs, .warm_up_epochs = o.warm_up};
  return schedule::Poly{.base = lr, .epochs = o.epochs, .warm_up_epochs = o.warm_up};
}

/// Everything that shapes the result; a resumed run must have the same. The trainer adds batch size, crops, optimiser and
/// clipping.
inline Settings settings_of(const Options& o, const data::FolderParts& sets) {
  Settings all = network_settings(o);
  const auto add = [&](const char* name, std::string text) { all.emplace_back(name, std::move(text)); };
  add("pictures",
      fmt::format("{} for training, {} for validation, {} classes, of {}", sets.train.size(), sets.validation.size(),
                  sets.train.classes(), o.val_share() ? "one folder" : "two folders"));
  add("input", fmt::format("{0} × {0} pixels", o.size));
  add("label smoothing", fmt::format("{}", o.smoothing));
  add("schedule", fmt::format("{} from {}, warm-up of {} epochs", o.schedule, o.base_rate(), o.warm_up));
  add("start", o.backbone.empty() ? "random" : fmt::format("weights from a file, at {} of the rate", o.backbone_rate));
  add("seed", fmt::format("{}", o.seed));
  add("backend", o.backend_text());
  return all;
}

}  // namespace classify
