#pragma once
/// The options and their meaning. The command line itself is in command_line.hpp.

#include "../common/machine.hpp"
#include "../common/optimizer.hpp"
#include "networks.hpp"

#include <moecnn/data/rgb_image.hpp>
#include <moecnn/graph/plan.hpp>
#include <moecnn/train/optimizer.hpp>
#include <moecnn/train/schedule.hpp>
#include <moecnn/train/settings.hpp>

#include <optional>

namespace segmentation {

/// Defaults are those of the study, as far as they are known: one layer of 8 experts, 2 per patch of a 3×3 grid, chosen
/// by two convolutions and balanced by entropy; SGD with momentum at a constant rate, 200 epochs of batches of 8.
struct Options : MachineOptions {
  // network
  std::string net = "enet";
  int classes = 0;  ///< 0: the data set's
  bool moe = true;
  std::string grid = "3", patch;
  int experts = 8, k = 2;
  std::string gate = "2conv-gap", balance = "entropy", scores = "dense";
  double balance_weight = 0.01;
  bool renormalise = true, shared = false, skip = false, learned_noise = false;
  std::string placement = "decoder-last";
  int layers = 1;
  bool mix = true;   ///< experts that are one convolution mix their kernels where that pays
  double aux = 0.4;  ///< weight of PSPNet's second loss; 0: without that head
  // data
  std::string dataset = "synthetic", data;
  std::string size, crop;  ///< "" : the data set's
  int images = 64;         ///< scenes to draw
  int limit = 0;           ///< pairs to use of each set; 0: all
  int overfit = 0;         ///< train and test on the same few pairs; 0: no
  double most_megapixels = static_cast<double>(data::most_pixels) / 1e6;  ///< larger pictures are refused
  bool augment = true;
  double min_scale = 0.5, max_scale = 2, jitter = 0.3;
  std::string class_weights = "none";
  int loader_threads = 1, cache_mb = 1024;
  // training
  std::string optimizer = "sgd", schedule = "constant";
  std::optional<double> lr;
  double momentum = 0.9, weight_decay = 0, power = 0.9, warm_up = 0, clip = 0;
  std::vector<int> lr_steps;
  bool nesterov = false, resume = false, overwrite = false;
  int epochs = 200, batch = 8, eval_batch = 4, eval_every = 1, log_steps = 20;
  long long max_steps = 0;
  int checkpoint_steps = 0;
  std::string rebuild = "cheap";  ///< values made again for the backward pass instead of being kept
  std::string init, backbone, out = "out/segmentation";
  bool report = true;
  std::string command;  ///< as it was typed, for the report
  // evaluation and prediction
  std::string weights, split = "val", json, dump;
  int fixed_expert = -1;
  bool equal_weights = false;
  std::vector<std::string> pictures;

  const NetInfo& info() const { return network(net); }
  bool has_aux() const { return info().aux[0] != '\0' && aux > 0; }
  double base_rate() const { return lr.value_or(optimizer == "sgd" ? 2e-2 : 5e-4); }
};

/// "768" or "512x1024", height first; "" is 0. `option` is named in the error.
inline Size2 size_of(const std::string& text, const char* option) {
  if (text.empty()) return 0;
  int h = 0, w = 0, end = 0;
  const int found = std::sscanf(text.c_str(), "%dx%d%n", &h, &w, &end);
  if (found == 2 && end == static_cast<int>(text.size()) && h > 0 && w > 0) return {h, w};
  end = 0;
  if (std::sscanf(text.c_str(), "%d%n", &h, &end) == 1 && end == static_cast<int>(text.size()) && h > 0) return h;
  fail("{} is \"{}\"; expected HEIGHTxWIDTH with numbers above 0, such as 512x1024, or one for both", option, text);
}

inline SegMoE moe_of(const Options& o) {
  SegMoE m{.on = o.moe, .placement = placement_by_name(o.placement), .layers = o.layers, .experts = o.experts};
  m.patches = {.grid = size_of(o.grid, "--grid"), .size = size_of(o.patch, "--patch")};
  // The renormalised weight of a single expert is 1 and teaches the gate nothing: its slope is then the raw weight's.
  m.router = {.k = o.k,
              .weights = !o.renormalise              ? Weights::raw
                         : o.k == 1 && o.experts > 1 ? Weights::straight_through
                                                     : Weights::renormalised,
              .noise = o.learned_noise ? Noise::learned : Noise::none};
  m.gate = gate::by_name(o.gate);
  m.balance = balance::by_name(o.balance, o.balance_weight);
  if (o.balance == "importance" && o.scores == "dense")
    m.balance = balance::Importance{.weight = o.balance_weight, .of = balance::Of::dense};
  check(!(o.shared && o.skip), "--shared on and --skip on: beside a mixture stands one of the two");
  m.beside = o.shared ? Beside::shared : o.skip ? Beside::input : Beside::nothing;
  return m;
}

inline Rebuild rebuild_of(const Options& o) {
  return o.rebuild == "never" ? Rebuild::never : o.rebuild == "always" ? Rebuild::always : Rebuild::where_cheap;
}

inline AnyNet net_of(const Options& o, int classes) {
  return o.info().make({.classes = classes, .moe = moe_of(o), .aux = o.has_aux()});
}

/// The balance loss in words, "none" where there is none.
inline std::string balance_text(const Options& o) {
  if (o.balance == "none") return "none";
  return formatted("{}{}, weight {}", o.balance, o.balance == "importance" ? formatted(" of {} scores", o.scores) : "",
                   o.balance_weight);
}

/// In words: "ENet with 8 experts, 2 per patch (grid 3), gate 2conv-gap, balance loss entropy, decoder-last".
inline std::string net_text(const Options& o) {
  if (!o.moe) return std::string("plain ") + o.info().title;
  return formatted("{} with {} experts, {} per patch ({}), gate {}, balance loss {}, {}{}", o.info().title, o.experts,
                   o.k, o.patch.empty() ? "grid " + o.grid : "of " + o.patch + " pixels", o.gate, o.balance,
                   o.placement, o.layers > 1 ? formatted(", {} layers", o.layers) : std::string());
}

/// Whether the curve of the rates is laid out over all epochs, so that it changes when a run is given more of them.
inline bool schedule_has_length(const Options& o) { return o.schedule == "poly" || o.schedule == "cosine"; }

inline AnySchedule schedule_of(const Options& o) {
  const double lr = o.base_rate();
  if (o.schedule == "poly")
    return schedule::Poly{.base = lr, .power = o.power, .epochs = o.epochs, .warm_up_epochs = o.warm_up};
  if (o.schedule == "cosine") return schedule::Cosine{.base = lr, .epochs = o.epochs, .warm_up_epochs = o.warm_up};
  if (o.schedule == "steps") {
    check(!o.lr_steps.empty(), "--schedule steps wants --lr-steps: the epochs after which the rate falls to a tenth");
    schedule::Steps steps{.base = lr, .last = {}};
    for (int epoch : o.lr_steps) steps.last.push_back(epoch - 1);
    return warmed_up(steps, o.warm_up);
  }
  return warmed_up(schedule::Constant{.rate = lr}, o.warm_up);
}

/// Options of the network and of how pictures are prepared, by the names they have on the command line: `train` writes
/// them beside the weights, and other commands take them from there, and these alone. Paths are not among them: weights
/// may come from elsewhere.
inline Settings lasting_options(const Options& o) {
  const auto on = [](bool b) { return std::string(b ? "on" : "off"); };
  const auto number_or_empty = [](int n) { return n > 0 ? formatted("{}", n) : std::string(); };  // empty: not given
  return {{"net", o.net},
          {"classes", number_or_empty(o.classes)},
          {"moe", on(o.moe)},
          {"grid", o.grid},
          {"patch", o.patch},
          {"experts", formatted("{}", o.experts)},
          {"k", formatted("{}", o.k)},
          {"gate", o.gate},
          {"balance", o.balance},
          {"balance-weight", formatted("{}", o.balance_weight)},
          {"balance-scores", o.scores},
          {"renormalise", on(o.renormalise)},
          {"shared", on(o.shared)},
          {"skip", on(o.skip)},
          {"gate-noise", on(o.learned_noise)},
          {"placement", o.placement},
          {"layers", formatted("{}", o.layers)},
          {"aux", formatted("{}", o.aux)},
          {"dataset", o.dataset},
          {"size", o.size},
          {"images", formatted("{}", o.images)},
          {"limit", number_or_empty(o.limit)},
          {"overfit", number_or_empty(o.overfit)},
          {"crop", o.crop},
          {"no-augment", o.augment ? "" : "true"},
          {"seed", formatted("{}", o.seed)}};
}

}  // namespace segmentation
