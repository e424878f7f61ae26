#pragma once
/// The options of the program and their meaning. command_line.hpp adds them to the command line.

#include "../common/make_backend.hpp"
#include "../common/optimizer.hpp"

#include <moecnn/core/plural.hpp>
#include <moecnn/moecnn.hpp>
#include <moecnn/zoo/cifar_moe.hpp>

#include <cstring>

namespace cifar {

using namespace moecnn;

struct Options {
  // network
  int position = 4, experts = 4;
  std::optional<int> k;  ///< none: 2, or 1 where there is but one expert
  std::string gate = "gap", constraint = "importance";
  std::optional<double> strength;  ///< of `constraint`, a balance loss (soft) or a hard constraint; none: the study's
  // data
  std::string data = "synthetic";
  int images = 10000;  ///< of the synthetic training set
  bool augment = true, shuffle = true, noise = true;
  // training
  std::string optimizer = "adam", schedule = "auto";
  std::optional<double> lr;  ///< none: base_rate()'s
  double momentum = 0.9, weight_decay = 0;
  double warm_up = 0;          ///< epochs
  std::optional<double> clip;  ///< none: no clipping
  bool nesterov = false, resume = false, overwrite = false;
  int epochs = 5, batch = 128;
  std::optional<long long> max_steps;   ///< none: no limit
  std::optional<int> checkpoint_steps;  ///< none: after epochs and every few minutes only
  std::uint64_t seed = 42;
  std::string init, out = "out/cifar100";
  // where
  std::string backend = "auto";
  int threads = 0, loader_threads = 1;
  // evaluation
  std::string weights, dump;
  std::optional<int> eval_k, fixed_expert;
  bool equal_weights = false;

  bool soft() const { return constraint == "importance" || constraint == "kl"; }
  bool hard() const { return constraint == "relative" || constraint == "mean"; }
  int active() const { return k.value_or(std::min(2, experts)); }

  /// Weight of the balance loss or limit of the hard constraint: what was given, or the study's.
  double strength_used() const {
    return strength.value_or(constraint == "importance" ? balance::Importance{}.weight
                             : constraint == "kl"       ? balance::KlDivergence{}.weight
                             : constraint == "relative" ? constraint::RelativeImportance{}.limit
                                                        : constraint::MeanImportance{}.limit);
  }
  /// In words; empty where there is none.
  std::string balance_text() const {
    return soft() ? fmt::format("{}, weight {}", constraint, strength_used()) : std::string();
  }
  std::string constraint_text() const {
    return hard() ? fmt::format("{} importance, limit {}", constraint, strength_used()) : std::string();
  }

  CifarMoENet net() const {
    CifarMoENet n;
    n.position = position;
    n.experts = experts;
    n.k = active();
    n.gate = gate::by_name(gate);
    if (soft()) n.balance = balance::by_name(constraint, strength_used());
    if (hard()) n.constraint = constraint::by_name(constraint, strength_used());
    return n;
  }

  /// In words: "ResNet-18 with 4 experts, 2 per image, instead of layer4".
  std::string net_text() const {
    if (position == 0) return "plain ResNet-18";
    return formatted("ResNet-18 with {} expert{}, {} per image, instead of layer{}", experts, experts == 1 ? "" : "s",
                     active(), position);
  }
};

/// Throws Error on numbers that do not go together, in the words of the command line.
inline void check_network(const Options& o) {
  if (o.position == 0) return;
  check(o.active() <= o.experts, "--k is {}, but --experts is {}; choose k from 1 to {}", o.active(), o.experts,
        o.experts);
  check(
      o.active() > 1 || o.experts == 1,
      "--k is 1: the weight of the one chosen expert is always 1, and the gate of {} experts would learn nothing from "
      "it; train with --k 2 or more (a trained network can be tested with one expert: eval --k 1)",
      o.experts);
  check(!o.strength || o.soft() || o.hard(),
        "--strength is {}, but --constraint is none; choose a constraint or leave --strength out",
        o.strength.value_or(0));
}

/// The same for what `eval` may ask of the experts.
inline void check_evaluation(const Options& o) {
  check(o.position > 0 || !(o.eval_k || o.fixed_expert || o.equal_weights),
        "a plain ResNet-18 has no experts: leave out --k, --fixed-expert and --equal-weights");
  check(!o.eval_k || *o.eval_k <= o.experts, "--k is {}, but the network has {} experts; choose k from 1 to {}",
        o.eval_k.value_or(0), o.experts, o.experts);
  check(!o.fixed_expert || *o.fixed_expert < o.experts,
        "--fixed-expert is {}, but the experts of the network are 0 to {}", o.fixed_expert.value_or(0), o.experts - 1);
}

inline double base_rate(const Options& o) { return o.lr.value_or(o.optimizer == "sgd" ? 0.1 : 1e-3); }

/// The study's schedules are written for 150 epochs and a rate of 1e-3; both are scaled to what was asked for. They belong
/// to gate and constraint: relu-gap is what the study's convolutional gate computed, so it is trained as that one was.
inline AnySchedule schedule_of(const Options& o) {
  const double lr = base_rate(o), scale = lr / 1e-3;
  if (o.schedule == "constant") return warmed_up(schedule::Constant{.rate = lr}, o.warm_up);
  if (o.schedule == "cosine") return schedule::Cosine{.base = lr, .epochs = o.epochs, .warm_up_epochs = o.warm_up};
  if (o.schedule == "poly") return schedule::Poly{.base = lr, .epochs = o.epochs, .warm_up_epochs = o.warm_up};
  const bool convolutional = o.gate == "conv" || o.gate == "relu-gap";
  auto steps = o.position == 0 ? schedule::cifar_baseline(scale, o.epochs)
               : o.hard()      ? schedule::cifar_hard(scale, o.epochs)
               : convolutional ? schedule::cifar_conv_soft(scale, o.epochs)
                               : schedule::cifar_soft(scale, o.epochs);
  if (o.lr || o.warm_up > 0) steps.warm_up = {};  // who names a rate means it from the first step on
  return warmed_up(steps, o.warm_up);
}

/// Options of the network and of generated images, by their names on the command line: `train` writes them beside the
/// weights, and `eval` takes them from there. A folder of images is not among them: a file that came with weights must not
/// say what is read.
inline Settings lasting_options(const Options& o) {
  return {{"position", formatted("{}", o.position)},
          {"experts", formatted("{}", o.experts)},
          {"k", formatted("{}", o.active())},
          {"gate", o.gate},
          {"constraint", o.constraint},
          {"strength", o.strength ? formatted("{}", *o.strength) : ""},
          {"data", o.data == "synthetic" ? o.data : ""},
          {"images", formatted("{}", o.images)},
          {"seed", formatted("{}", o.seed)}};
}

/// Number of images and a hash of all bytes and labels: the same wherever the data lie.
inline std::string signature(const data::ImageSet& set) {
  std::uint64_t h = 0xcbf29ce484222325;  // FNV-1a, eight bytes at a time
  const auto add = [&h](const void* from, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; i += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, static_cast<const char*>(from) + i, std::min<std::size_t>(8, bytes - i));
      h = (h ^ word) * 0x100000001b3;
      h ^= h >> 32;
    }
  };
  add(set.pixels.data(), set.pixels.size());
  add(set.labels.data(), set.labels.size() * sizeof(int));
  return fmt::format("{}, {} images, contents {:016x}", set.name, set.n, h);
}

/// The network as it is used, without what does not apply.
inline Settings network_settings(const Options& o) {
  Settings all{{"network", o.net_text()}};
  const auto add = [&](const char* name, std::string text) { all.emplace_back(name, std::move(text)); };
  if (o.position == 0) return all;
  add("gate", o.gate);
  if (!o.hard()) add("balance loss", o.soft() ? o.balance_text() : "none");
  if (o.hard()) add("hard constraint", o.constraint_text());
  add("noise on the gate", o.noise && !o.hard() && o.experts > 1 ? "learned" : "none");
  return all;
}

/// Everything that shapes the result, for the report.
inline Settings settings_of(const Options& o) {
  Settings all = network_settings(o);
  const auto add = [&](const char* name, std::string text) { all.emplace_back(name, std::move(text)); };
  add("data", o.data == "synthetic" ? fmt::format("synthetic, {} images", o.images) : o.data);
  add("epochs", fmt::format("{}", o.epochs));
  add("batch", fmt::format("{}", o.batch));
  add("augmentation", o.augment ? "flips, crops and colour jitter" : "none");
  add("order of images", o.shuffle ? "shuffled every epoch" : "as in the file");
  add("seed", fmt::format("{}", o.seed));
  add("initial weights", o.init.empty() ? "random" : o.init);
  add("backend", make_backend(o.backend)->title());
  return all;
}

/// By which --resume recognises its run: stored in the checkpoint. The trainer adds batch size, order, augmentation,
/// optimiser and clipping.
inline Settings fixed_settings(const Options& o, const data::ImageSet& train_set) {
  Settings all = network_settings(o);
  const auto add = [&](const char* name, std::string text) { all.emplace_back(name, std::move(text)); };
  add("data", signature(train_set));
  add("schedule", formatted("{} from {}{}", o.schedule, base_rate(o),
                            o.warm_up > 0 ? formatted(", warm-up of {} epochs", o.warm_up)
                            : o.lr        ? ", no warm-up"
                                          : ""));
  add("seed", formatted("{}", o.seed));
  add("backend", make_backend(o.backend)->title());
  return all;
}

inline data::ImageSet load(const Options& o, data::Split split) {
  if (o.data == "synthetic")
    return data::synthetic(split == data::Split::train ? o.images : std::max(1, o.images / 5), o.seed, split);
  return data::load_cifar100(o.data, split);
}

}  // namespace cifar
