#pragma once
/// \file
/// Random networks to test a layer in: parameters, images and a loss with its gradients, all in double precision unless
/// the backend says otherwise. check_gradients.hpp is the way to use it.

#include "moecnn/backend/reference.hpp"
#include "moecnn/graph/passes/set_precision.hpp"
#include "moecnn/graph/recorder.hpp"
#include "moecnn/model/model_opts.hpp"
#include "moecnn/model/program.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <vector>

namespace moecnn::testing {

/// True if the graph has losses, from which its gradients begin.
inline bool has_loss(const Graph& g) {
  return std::any_of(g.nodes.begin(), g.nodes.end(), [](const Node& n) { return is_loss(n.op); });
}

/// Programs with parameters and memory of their own. Gradients start at the graph's result, with the slope `c` of
/// Batch: the loss is ⟨c, result⟩ plus the balance losses. A graph that ends in a loss needs no slope.
template <class BackendType>
struct Rig {
  BackendType backend{};
  Precision precision = Precision::full;
  ParamStore store{};
  Arena arena{backend.memory()};
  std::vector<std::unique_ptr<Program>> programs{};

  /// `g` in the backend's numbers, or in the precision of the rig.
  Graph typed(Graph g, const std::vector<int>& keep = {}) const {
    passes::set_dtype(g, backend.dtype());
    if (precision == Precision::bf16) passes::lower_precision(g, DType::bf16, keep, backend.low_weights());
    return g;
  }
  Program& add(Graph g, ProgramOpts opts) {
    g = typed(std::move(g), opts.keep);
    programs.push_back(std::make_unique<Program>(std::move(g), backend, store, arena, std::move(opts)));
    return *programs.back();
  }
  Program& add_training(Graph g, std::vector<int> keep = {}) {
    const bool has_loss = testing::has_loss(g);
    const std::vector<int> seeds = has_loss ? std::vector<int>{} : std::vector<int>{g.outputs[0]};
    // All values that can be made again are, so that every check of gradients covers that, too.
    return add(
        std::move(g),
        {.training = true, .input_grad = true, .seeds = seeds, .keep = std::move(keep), .rebuild = Rebuild::always});
  }
};

/// The inputs: images, the slope of the result, and for graphs with a loss the target "labels" and all others by name.
struct Batch {
  std::vector<double> images, c;
  std::vector<int> labels;
  std::map<std::string, std::vector<double>> targets = {};
  std::map<std::string, std::vector<int>> classes = {};  ///< of i32
};

/// n normal numbers that depend on `seed` and `name` alone.
inline std::vector<double> random_numbers(std::uint64_t seed, const std::string& name, std::size_t n) {
  const Rng rng(seed, Purpose::other, hash_name(name));
  std::vector<double> v(n);
  for (std::size_t i = 0; i < n; ++i) v[i] = rng.normal(i);
  return v;
}

/// Noise around a colour per image, so that images differ in what a gate sees. All numbers are floats.
inline Batch random_batch(const Graph& g, std::uint64_t seed) {
  const Edge& in = g.edges[g.input];
  Batch b;
  b.images = random_numbers(seed, "images", static_cast<std::size_t>(in.elements()));
  const auto colour = random_numbers(seed, "colours", static_cast<std::size_t>(in.extent.n) * in.channels);
  for (std::size_t i = 0; i < b.images.size(); ++i)
    b.images[i] = static_cast<float>(b.images[i] + 1.5 * colour[i / static_cast<std::size_t>(in.extent.pixels())]);
  b.c = random_numbers(seed, "slope", static_cast<std::size_t>(g.edges[g.outputs[0]].elements()));
  for (double& v : b.c) v = static_cast<float>(v);
  const Rng rng(seed, Purpose::other, hash_name("labels"));
  // One per image, or one per pixel of the logits; every fifth is one that the loss ignores, if it ignores any.
  long long labels = in.extent.n;
  int classes = g.edges[g.outputs[0]].channels, ignore = -1;
  for (const Node& n : g.nodes)
    if (const auto* loss = std::get_if<ops::CrossEntropy>(&n.op)) {
      const Extent logits = g.edges[n.inputs[0]].extent;
      labels = logits.n * logits.pixels(), classes = loss->classes, ignore = loss->ignore;
    }
  // Of anchors half are background and a quarter is ignored.
  for (const Node& n : g.nodes)
    if (const auto* loss = std::get_if<ops::FocalLoss>(&n.op)) {
      const Edge& target = g.edges[n.inputs.back()];
      auto& v = b.classes[target.name];
      v.clear();
      for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(target.elements()); ++i) {
        const auto kind = rng.below(4, i, 1);
        v.push_back(kind < 2    ? ops::anchor_of_background
                    : kind == 2 ? ops::anchor_ignored
                                : static_cast<int>(rng.below(static_cast<std::uint64_t>(loss->classes), i, 2)));
      }
    }
  // Targets of other losses: 0 … 1, every fifth negative, which is ignored.
  for (const int e : g.targets()) {
    const Edge& target = g.edges[e];
    if (target.dtype == DType::i32) continue;
    auto& v = b.targets[target.name];
    const Rng random(seed, Purpose::other, hash_name(target.name));
    for (long long i = 0; i < target.elements(); ++i)
      v.push_back(i % 5 == 1 ? -1 : static_cast<float>(random.uniform(static_cast<std::uint64_t>(i))));
  }
  for (long long i = 0; i < labels; ++i)
    b.labels.push_back(ignore >= 0 && i % 5 == 1 ? ignore
                                                 : static_cast<int>(rng.below(static_cast<std::uint64_t>(classes),
                                                                              static_cast<std::uint64_t>(i))));
  return b;
}

/// Values far from those of a fresh network, where scales are 1 and biases 0 and mistakes hide. All numbers are floats.
inline void fill(ParamStore& store, std::uint64_t seed) {
  store.initialise(seed);
  for (int i = 0; i < store.size(); ++i) {
    const ParamSpec& p = store.spec(i);
    const std::string leaf = p.name.substr(p.name.rfind('.') + 1);
    const bool scale = p.shape.size() == 1 && leaf == "weight";
    const auto s = random_numbers(seed, p.name, static_cast<std::size_t>(p.elements()));
    std::vector<double> v = store.read(i);
    for (std::size_t j = 0; j < v.size(); ++j) {
      double x = v[j];
      if (scale) x = 1 + 0.3 * s[j];
      if (leaf == "bias" || leaf == "running_mean") x = 0.3 * s[j];
      if (leaf == "running_var") x = 0.5 + std::abs(s[j]);
      if (leaf == "weight" && p.name.find("gate.") != std::string::npos) x *= 3;  // experts that differ
      v[j] = static_cast<float>(x);
    }
    store.write(i, v.data());
  }
  // As if the first expert had been used more than its share, so that constraints bar it.
  for (int i = 0; i < static_cast<int>(store.states().size()); ++i) {
    const auto state = store.state(i);
    const bool steps = store.states()[i].name.ends_with("steps");
    for (std::size_t e = 0; e < state.size(); ++e) state[e] = steps ? 3.0 : e == 0 ? 0.9 : 0.1;
  }
}

/// Everything that a forward pass in training changes besides activations: running statistics and constraint states.
class Snapshot {
 public:
  explicit Snapshot(ParamStore& store) : store_(store) {
    for (int i = 0; i < store.size(); ++i)
      buffers_.push_back(store.spec(i).trained ? std::vector<double>{} : store.read(i));
    for (int i = 0; i < static_cast<int>(store.states().size()); ++i)
      states_.emplace_back(store.state(i).begin(), store.state(i).end());
  }
  void restore() const {
    for (int i = 0; i < store_.size(); ++i)
      if (!store_.spec(i).trained) store_.write(i, buffers_[i].data());
    for (std::size_t i = 0; i < states_.size(); ++i)
      std::copy(states_[i].begin(), states_[i].end(), store_.state(static_cast<int>(i)).begin());
  }

 private:
  ParamStore& store_;
  std::vector<std::vector<double>> buffers_;
  std::vector<std::vector<double>> states_;
};

/// Gives a program the targets that it has.
inline void set_targets(Program& program, const Batch& batch) {
  for (const int e : program.targets()) {
    const Edge& target = program.graph().edges[e];
    if (const auto other = batch.classes.find(target.name); other != batch.classes.end())
      program.set_target(target.name, other->second.data());
    else if (target.dtype == DType::i32)
      program.set_target(target.name, batch.labels.data());
    else
      program.set_target(target.name, batch.targets.at(target.name).data());
  }
}

/// ⟨c, result⟩, or the network's own loss, plus the balance losses.
inline double forward(Program& program, const Batch& batch, const StepContext& step) {
  program.set_images(batch.images.data());
  set_targets(program, batch);
  program.forward(step);
  const Graph& g = program.graph();
  if (has_loss(g)) return program.loss() + program.balance_loss();
  const auto y = program.read(g.outputs[0]);
  double loss = program.balance_loss();
  for (std::size_t i = 0; i < y.size(); ++i) loss += batch.c[i] * y[i];
  return loss;
}

/// In plain order; empty where there are none.
struct Gradients {
  std::vector<double> images;
  std::vector<std::vector<double>> params;  ///< per parameter of the store
};

/// The gradients of the loss of the last forward().
inline Gradients backward(ParamStore& store, Program& program, const Batch& batch, const StepContext& step) {
  const Graph& g = program.graph();
  for (int seed : program.opts().seeds) program.seed(seed, batch.c.data());
  program.backward(step);
  Gradients all;
  if (program.flow().edge_grad[g.input]) {
    all.images.resize(static_cast<std::size_t>(g.edges[g.input].elements()));
    program.read_grad(g.input, all.images.data());
  }
  for (int i = 0; i < store.size(); ++i)
    all.params.push_back(store.spec(i).trained ? store.read_grad(i) : std::vector<double>{});
  return all;
}

/// The smallest distance between a logit that was chosen and one that was not, or between the best two, over all rows:
/// where it is small, a difference quotient may step over the place where the routing changes. Logits of a random gate do
/// not count: they are minute, and nothing that is learned moves them.
inline double routing_margin(const std::vector<Routing>& routings) {
  double margin = std::numeric_limits<double>::infinity();
  for (const Routing& r : routings)
    for (int row = 0; row < r.rows; ++row) {
      std::vector<double> z;
      for (int e = 0; e < r.experts; ++e)
        if (!r.barred[e]) z.push_back(r.logits(row, e));
      std::sort(z.begin(), z.end(), std::greater<>());
      const auto minute = [](double v) { return v != 0 && std::abs(v) < 64 * ops::RandomScores::scale; };
      if (std::all_of(z.begin(), z.end(), minute)) continue;
      for (const std::size_t i : {std::size_t(1), static_cast<std::size_t>(r.k)})
        if ((i > 1 || r.k == 1 || r.balance_loss != 0) && i < z.size() && std::isfinite(z[i]))
          margin = std::min(margin, z[i - 1] - z[i]);
    }
  return margin;
}

/// The first seed from `first` on whose routing does not hang on a hair: `margin(seed)` makes a run and answers its
/// routing_margin(). Throws Error after 200 seeds.
template <class Margin>
std::uint64_t steady_seed(std::uint64_t first, Margin margin) {
  for (std::uint64_t seed = first; seed < first + 200; ++seed)
    if (margin(seed) >= 1e-3) return seed;
  fail("{} seeds were tried and in each a row's routing hangs on less than {}; use fewer rows or experts", 200, 1e-3);
}

}  // namespace moecnn::testing
