#pragma once
/// Small networks with a mixture, for tests of the whole layer.

#include "check_layer.hpp"
#include "moecnn/moe/expert.hpp"
#include "moecnn/moe/gate_any.hpp"
#include "moecnn/moe/moe.hpp"

namespace mixture_test {

using namespace moecnn;

/// Every choice at run time: one instantiation serves all combinations.
template <class Expert>
using AnyMoE = MoE<Expert, dynamic, TopK<dynamic>, gate::Any, balance::Any, constraint::Any>;

struct Choice {
  int experts = 4;
  TopK<dynamic> router{};
  balance::Any balance{};
  constraint::Any constraint{};
  gate::Any gate{};
};

template <class Expert>
AnyMoE<Expert> mixture(const Choice& c) {
  return {.router = c.router, .gate = c.gate, .balance = c.balance, .constraint = c.constraint, .experts = c.experts};
}

using ConvExpert = Conv<4, 3, ConvOpts{.kernel = 3, .stride = 2, .pad = 1, .bias = true}>;
using NormExpert = NarrowBlocks<4, 2, 3>;  // stride 2

/// A network that is one layer without a scope around it.
template <class Layer>
struct Bare {
  static constexpr int in = Layer::in;
  Layer layer{};
  auto wire(Recorder& g, Value<in> x) const { return layer.wire(g, x); }
};

inline TopK<dynamic> top(int k, Weights weights = Weights::renormalised, Noise noise = Noise::learned) {
  return {.k = k, .weights = weights, .noise = noise};
}

inline std::string name_of(Weights w) {
  return w == Weights::renormalised ? "renormalised" : w == Weights::raw ? "raw" : "straight-through";
}

/// Gates whose logits differ from row to row by `scale`, or the same for every row: `bias` alone decides.
inline void decide_by_bias(ParamStore& store, const std::vector<double>& bias) {
  for (int i = 0; i < store.size(); ++i) {
    const std::string& name = store.spec(i).name;
    if (!name.ends_with("gate.fc.weight") && !name.ends_with("gate.fc.bias")) continue;
    std::vector<double> v(static_cast<std::size_t>(store.spec(i).elements()), 0.0);
    if (name.ends_with("bias")) v.assign(bias.begin(), bias.end());
    store.write(i, v.data());
  }
}

/// Copies the parameters of expert `from` of a mixture to `to`, or to all experts where `to` is -1.
inline void copy_expert(ParamStore& store, int from, int to = -1) {
  const std::string source = "experts." + std::to_string(from) + ".";
  for (int i = 0; i < store.size(); ++i) {
    const std::string& name = store.spec(i).name;
    const auto at = name.find(source);
    if (at == std::string::npos) continue;
    const auto value = store.read(i);
    for (int e = 0;; ++e) {
      const int id =
          store.find(name.substr(0, at) + "experts." + std::to_string(e) + "." + name.substr(at + source.size()));
      if (id < 0) break;
      if (to < 0 || to == e) store.write(id, value.data());
    }
  }
}

}  // namespace mixture_test
