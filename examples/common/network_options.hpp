#pragma once
/// The options of ResNet-18 with a mixture of experts instead of one of its stages, and their meaning.

#include "number_checks.hpp"

#include <moecnn/core/plural.hpp>
#include <moecnn/moecnn.hpp>
#include <moecnn/zoo/cifar_moe.hpp>

#include <optional>

struct NetworkOptions {
  int position = 4, experts = 4;
  std::optional<int> k;  ///< none: 2, or 1 where there is but one expert
  std::string gate = "gap", constraint = "importance";
  std::optional<double> strength;  ///< of `constraint`, a balance loss (soft) or a hard constraint; none: the study's
  bool noise = true;               ///< on the gate

  bool soft() const { return constraint == "importance" || constraint == "kl"; }
  bool hard() const { return constraint == "relative" || constraint == "mean"; }
  int active() const { return k.value_or(std::min(2, experts)); }

  /// Weight of the balance loss or limit of the hard constraint: the value given, or the study's.
  double strength_used() const {
    return strength.value_or(constraint == "importance" ? moecnn::balance::Importance{}.weight
                             : constraint == "kl"       ? moecnn::balance::KlDivergence{}.weight
                             : constraint == "relative" ? moecnn::constraint::RelativeImportance{}.limit
                                                        : moecnn::constraint::MeanImportance{}.limit);
  }
  /// In words; empty where there is none.
  std::string balance_text() const {
    return soft() ? fmt::format("{}, weight {}", constraint, strength_used()) : std::string();
  }
  std::string constraint_text() const {
    return hard() ? fmt::format("{} importance, limit {}", constraint, strength_used()) : std::string();
  }
  std::string gate_text() const {
    return gate == "conv"       ? "convolution, pooling, linear layer"
           : gate == "relu-gap" ? "ReLU, pooling, linear layer"
                                : "pooling, linear layer";
  }

  moecnn::CifarMoENet net() const {
    moecnn::CifarMoENet n;
    n.position = position;
    n.experts = experts;
    n.k = active();
    n.gate = moecnn::gate::by_name(gate);
    if (soft()) n.balance = moecnn::balance::by_name(constraint, strength_used());
    if (hard()) n.constraint = moecnn::constraint::by_name(constraint, strength_used());
    return n;
  }

  /// In words: "ResNet-18 with 4 experts, 2 per image, instead of layer4".
  std::string net_text() const {
    if (position == 0) return "plain ResNet-18";
    return fmt::format("ResNet-18 with {}, {} per image, instead of layer{}", moecnn::counted(experts, "expert"),
                       active(), position);
  }
};

/// The number of active experts is not among them, see add_k().
inline void add_network(CLI::App& app, NetworkOptions& o) {
  using namespace number_checks;
  app.add_option("--position", o.position, "stage replaced by the mixture, 1 to 4; 0 = plain ResNet-18")
      ->check(between(0, 4))
      ->capture_default_str();
  app.add_option("--experts", o.experts, "experts N in the mixture")->check(between(1, 1024))->capture_default_str();
  app.add_option("--gate", o.gate,
                 "gap: pooling and a linear layer; conv: a convolution before it; relu-gap: a ReLU before it")
      ->check(one_of({"gap", "conv", "relu-gap"}))
      ->capture_default_str();
  app.add_option("--constraint", o.constraint,
                 "how use is kept even: none; a balance loss: importance, kl; a hard constraint: relative, mean, which "
                 "bars experts that are used too much")
      ->check(one_of({"none", "importance", "kl", "relative", "mean"}))
      ->capture_default_str();
  app.add_option(
         "--strength", o.strength,
         fmt::format("weight of the balance loss (default {}) or limit of the hard constraint (relative {}, mean {})",
                     moecnn::balance::Importance{}.weight, moecnn::constraint::RelativeImportance{}.limit,
                     moecnn::constraint::MeanImportance{}.limit))
      ->check(at_least(0));
}

inline void add_k(CLI::App& app, NetworkOptions& o) {
  app.add_option("--k", o.k, "experts per image (default 2)")->check(number_checks::between(1, 1024));
}

/// Throws Error on numbers that do not go together, in the words of the command line.
inline void check_network(const NetworkOptions& o) {
  using moecnn::check;
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

/// Choices about the experts of a trained network.
struct ExpertChoice {
  std::optional<int> eval_k, fixed_expert;
  bool equal_weights = false;
  std::string analysis;  ///< folder for tables and maps; empty: none
  int points = 4000;     ///< of the maps

  moecnn::analysis::PredictOpts predict() const {
    return {.k = eval_k.value_or(0), .fixed_expert = fixed_expert.value_or(-1), .equal_weights = equal_weights};
  }
};

inline void add_expert_choice(CLI::App& app, ExpertChoice& o) {
  using number_checks::between;
  CLI::Option* k =
      app.add_option("--k", o.eval_k, "experts per image (default: as in training)")->check(between(1, 1024));
  CLI::Option* fixed =
      app.add_option("--fixed-expert", o.fixed_expert, "only this expert, counted from 0, serves every image")
          ->check(between(0, 1023));
  CLI::Option* equal = app.add_flag("--equal-weights", o.equal_weights, "all experts run, with equal weight");
  fixed->excludes(k)->excludes(equal);
  equal->excludes(k);
}

inline void add_analysis(CLI::App& app, ExpertChoice& o) {
  app.add_option(
         "--analysis", o.analysis,
         "look at the experts: their favourite classes, accuracy alone, correlations, accuracy for every k, pairs, "
         "t-SNE maps; tables and pictures are written into this folder")
      ->excludes("--k")
      ->excludes("--fixed-expert")
      ->excludes("--equal-weights");
  app.add_option("--points", o.points, "images on the maps of --analysis, evenly spaced; 0: no maps")
      ->check(number_checks::whole_between(0, 100'000))
      ->capture_default_str();
}

inline void check_expert_choice(const NetworkOptions& net, const ExpertChoice& o) {
  using moecnn::check;
  check(net.position > 0 || !(o.eval_k || o.fixed_expert || o.equal_weights || !o.analysis.empty()),
        "a plain ResNet-18 has no experts: leave out --k, --fixed-expert, --equal-weights and --analysis");
  check(!o.eval_k || *o.eval_k <= net.experts, "--k is {}, but the network has {}; choose k from 1 to {}",
        o.eval_k.value_or(0), moecnn::counted(net.experts, "expert"), net.experts);
  check(!o.fixed_expert || *o.fixed_expert < net.experts,
        "--fixed-expert is {}, but the experts of the network are 0 to {}", o.fixed_expert.value_or(0),
        net.experts - 1);
}

/// The options that describe a trained network, by their names on the command line, see run_options.hpp.
inline moecnn::Settings lasting_network(const NetworkOptions& o) {
  return {{"position", fmt::format("{}", o.position)},
          {"experts", fmt::format("{}", o.experts)},
          {"k", fmt::format("{}", o.active())},
          {"gate", o.gate},
          {"constraint", o.constraint},
          {"strength", o.strength ? fmt::format("{}", *o.strength) : ""}};
}

/// The network as it is used, in words, without what does not apply.
inline moecnn::Settings network_settings(const NetworkOptions& o) {
  moecnn::Settings all{{"network", o.net_text()}};
  const auto add = [&](const char* name, std::string text) { all.emplace_back(name, std::move(text)); };
  if (o.position == 0) return all;
  add("gate", o.gate);
  if (!o.hard()) add("balance loss", o.soft() ? o.balance_text() : "none");
  if (o.hard()) add("hard constraint", o.constraint_text());
  add("noise on the gate", o.noise && !o.hard() && o.experts > 1 ? "learned" : "none");
  return all;
}
