#pragma once
/// The settings that a checkpoint stores.

#include "../common/machine.hpp"
#include "../common/run_folder.hpp"
#include "data_sets.hpp"

namespace segmentation {

/// The part of `settings_of` that describes the mixture.
inline void add_mixture(Settings& all, const Options& o) {
  const auto add = [&](const char* name, std::string text) { all.emplace_back(name, std::move(text)); };
  const SegMoE moe = moe_of(o);
  add("placement", o.layers > 1 ? formatted("{}, {} layers", o.placement, o.layers) : o.placement);
  const Size2 patches = o.patch.empty() ? moe.patches.grid : moe.patches.size;
  add("patches", formatted("{}×{}{}", patches.h, patches.w, o.patch.empty() ? " in the image" : " pixels of the map"));
  add("experts", formatted("{}", o.experts));
  add("active per patch", formatted("{}", o.k));
  add("gate", o.gate);
  add("noise on the gate", o.learned_noise ? "learned" : "none");
  add("balance loss", balance_text(o));
  add("weights", moe.router.weights == Weights::raw            ? "as the gate gives them"
                 : moe.router.weights == Weights::renormalised ? "renormalised to sum 1"
                                                               : "straight through");
  if (moe.beside != Beside::nothing) add("beside the experts", o.shared ? "a shared expert" : "the input");
  add("mixing of kernels", o.mix ? "on" : "off");
}

/// Everything that shapes the result, as it was used and without what does not apply: stored in the checkpoint, compared
/// on --resume, and shown in the report. (The trainer adds data, augmentation, optimiser and schedule.)
inline Settings settings_of(const Options& o) {
  Settings all{{"network", o.info().title}};
  const auto add = [&](const char* name, std::string text) { all.emplace_back(name, std::move(text)); };
  const auto text_of = [](Size2 size) { return formatted("{}×{}", size.h, size.w); };
  if (!o.moe) add("mixture", "none");
  if (o.moe) add_mixture(all, o);
  if (o.has_aux()) add("auxiliary loss", formatted("weight {}", o.aux));
  add("classes", formatted("{}", class_count(o)));
  if (o.class_weights != "none") add("class weights", o.class_weights);
  add("data", o.dataset == "synthetic" ? formatted("{} scenes of {}", o.images, text_of(scene_size(o))) : o.dataset);
  if (o.dataset != "synthetic" && !o.size.empty()) add("size", text_of(size_of(o.size, "--size")));
  if (o.overfit > 0)
    add("pairs to overfit", formatted("{}", o.overfit));
  else if (o.limit > 0)
    add("pairs of each set", formatted("at most {}", o.limit));
  add("crops", text_of(crop_of(o)));
  add("augmentation",
      augments(o) ? formatted("flips, scales {} to {}, colour jitter {}", o.min_scale, o.max_scale, o.jitter) : "none");
  if (schedule_has_length(o))
    add("schedule", formatted("{} from {}{}, warm-up of {} epochs", o.schedule, o.base_rate(),
                              o.schedule == "poly" ? formatted(", power {}", o.power) : "", o.warm_up));
  add("seed", formatted("{}", o.seed));
  add("initial weights", o.init.empty() ? "random" : runs::path_text(o.init));
  if (!o.backbone.empty()) add("encoder", runs::path_text(o.backbone));
  add("backend", o.backend_text());
  return all;
}

}  // namespace segmentation
