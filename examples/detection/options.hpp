#pragma once
/// The options of the program and their meaning. command_line.hpp adds them to the command line.

#include "../common/machine.hpp"
#include "../common/optimizer.hpp"
#include "../common/run_folder.hpp"
#include "networks.hpp"

#include <moecnn/data/check_detection.hpp>
#include <moecnn/data/coco.hpp>
#include <moecnn/data/detection_loader.hpp>
#include <moecnn/data/synthetic_boxes.hpp>
#include <moecnn/moe/policy_text.hpp>
#include <moecnn/train/settings.hpp>

#include <optional>

namespace detection_program {

struct Options : MachineOptions {
  // network
  std::string backbone = "resnet18", moe = "none";
  int experts = 4, k = 2, classes = 0;  ///< of the data; `classes` is not an option of the command line
  std::string gate = "conv", constraint = "kl";
  std::optional<double> strength;  ///< of `constraint`; none: the study's
  bool noise = true;
  // data
  std::string dataset = "synthetic", data;
  std::string split = "val";
  int images = 400;                        ///< scenes to generate for training, and a quarter of it for the test
  int overfit = 0;                         ///< > 0: train and test on the first N pictures
  int size = 0, max_size = 0, shapes = 8;  ///< 0: the data set's
  bool augment = true;
  // training
  std::string optimizer = "adam", schedule = "steps";
  double lr = 1e-4, momentum = 0.9, weight_decay = 0, warm_up = 0, clip = 0.1;
  bool nesterov = false, resume = false, overwrite = false;
  int epochs = 20, batch = 4;
  std::vector<int> lr_steps{14, 18};  ///< epochs from which the rate falls to a tenth
  std::optional<long long> max_steps;
  int test_epochs = 1;
  std::vector<std::string> freeze;
  std::string init, backbone_weights, base_weights, upcycle;
  double upcycle_noise = 0.1;
  bool relative_noise = false;
  std::string out = "out/detection";
  // loading
  int loader_threads = 1, cache_mb = 512;
  // evaluation
  std::string weights, results, report_json;
  std::optional<int> eval_k, fixed_expert;
  bool equal_weights = false, each_expert = false;
  std::string fixed_in;  ///< regressor or classifier; empty: both
  std::vector<std::string> pictures;
  int first = 0;  ///< > 0: the first N pictures of a data set instead of these files
  double least_score = 0.3;

  /// Pattern of the mixtures' names.
  std::string fixed_pattern() const { return fixed_in.empty() ? "" : head_pattern(fixed_in); }
  static std::string head_pattern(const std::string& head) {
    return head == "regressor" ? "regressionModel*" : "classificationModel*";
  }

  bool has_mixture() const { return moe != "none"; }
  bool soft() const { return constraint == "importance" || constraint == "kl"; }
  bool hard() const { return constraint == "relative" || constraint == "mean"; }
  double strength_used() const { return strength.value_or(soft() ? 0.25 : 0.3); }

  RetinaMoE retina_moe() const {
    RetinaMoE m;
    m.kind = head_mixture_by_name(moe);
    m.experts = experts, m.router.k = k;
    m.gate = gate::by_name(gate);
    m.balance = soft() ? balance::by_name(constraint, strength_used()) : balance::Any(balance::None{});
    if (hard()) m.constraint = constraint::by_name(constraint, strength_used());
    return m;
  }
  AnyNet net() const {
    const NetOptions n{classes, retina_moe()};
    return backbone == "resnet50" ? retinanet_resnet50(n) : retinanet_resnet18(n);
  }
  /// In words.
  std::string net_text() const {
    const std::string name = backbone == "resnet50" ? "RetinaNet on ResNet-50" : "RetinaNet on ResNet-18";
    if (!has_mixture()) return name;
    return formatted("{} with {} experts, {} active ({}, gate {}, {})", name, experts, k, moe, gate,
                     constraint == "none" ? "no constraint" : formatted("{} {}", constraint, strength_used()));
  }
};

inline AnySchedule schedule_of(const Options& o) {
  if (o.schedule == "cosine") return schedule::Cosine{.base = o.lr, .epochs = o.epochs, .warm_up_epochs = o.warm_up};
  if (o.schedule == "steps") {
    schedule::Steps steps{.base = o.lr, .last = {}};
    for (const int epoch : o.lr_steps) steps.last.push_back(epoch - 1);
    return warmed_up(steps, o.warm_up);
  }
  return warmed_up(schedule::Constant{.rate = o.lr}, o.warm_up);
}

/// Beginnings of the names of the backbone's parameters, in torchvision's files, too.
inline constexpr std::array<const char*, 6> backbone_layers{"conv1.",  "bn1.",    "layer1.",
                                                            "layer2.", "layer3.", "layer4."};

/// The parameters that --freeze names: "backbone", "fpn", or a pattern. "norms" is no parameter, see frozen_norms().
inline std::vector<ParamGroup> frozen_groups(const Options& o) {
  std::vector<ParamGroup> groups;
  for (const std::string& what : o.freeze) {
    if (what == "norms") continue;
    if (what == "backbone")
      for (const std::string layer : backbone_layers) groups.push_back({.pattern = layer + "*", .frozen = true});
    else
      groups.push_back({.pattern = what == "fpn" ? "fpn.*" : what, .frozen = true});
  }
  return groups;
}

/// Sizes of the data set where none are given: the study's for COCO, and that of the pictures for the others.
inline data::DetectionAugment augment_of(const Options& o, bool training) {
  data::DetectionAugment a;
  const bool coco = o.dataset == "coco";
  a.side = o.size > 0 ? o.size : coco ? 608 : 0;
  a.max_side = o.max_size > 0 ? o.max_size : coco ? 1024 : 0;
  if (a.side > 0 && a.max_side > 0 && a.max_side < a.side) a.max_side = a.side;
  a.flip = training && o.augment ? 0.5f : 0.0f;
  return a;
}

/// Options that describe a trained network, by their names on the command line.
inline Settings lasting_options(const Options& o) {
  const data::DetectionAugment sizes = augment_of(o, false);  // a data set's own ones, too
  return {{"backbone", o.backbone},
          {"moe", o.moe},
          {"experts", formatted("{}", o.experts)},
          {"k", formatted("{}", o.k)},
          {"gate", o.gate},
          {"constraint", o.constraint},
          {"strength", o.strength ? formatted("{}", *o.strength) : ""},
          {"size", formatted("{}", sizes.side)},
          {"max-size", formatted("{}", sizes.max_side)}};
}

/// The pictures of a split: "train", "val" or "test".
inline data::DetectionSet load(const Options& o, const std::string& split, bool keep_going = false) {
  const bool training = split == "train";
  data::DetectionSet set;
  if (o.dataset == "synthetic") {
    set = data::synthetic_boxes(training ? o.images : std::max(1, o.images / 4),
                                {.seed = o.seed, .split = training ? data::Split::train : data::Split::test});
  } else {
    check(!o.data.empty(), "--data is missing: the folder of the pictures and annotations");
    const data::CocoOpts opts{.keep_going = keep_going};
    if (o.dataset == "coco") {
      set = data::coco(o.data, split + "2017", opts);
    } else {
      const std::filesystem::path folder = o.data;
      set = data::coco_json(folder / "annotations" / ("instances_" + split + ".json"), folder / "images", opts);
      set.name = folder.filename().string() + " " + split;
    }
  }
  return set;
}

inline data::DetectionLoaderOpts loader_opts(const Options& o, bool training) {
  data::DetectionLoaderOpts l{.batch = o.batch,
                              .augment = augment_of(o, training),
                              .shapes = o.shapes,
                              .seed = o.seed,
                              .threads = o.loader_threads,
                              .cache_bytes = static_cast<std::size_t>(o.cache_mb) << 20};
  return training ? data::DetectionLoaderOpts::training(l.augment, l) : l;
}

}  // namespace detection_program
