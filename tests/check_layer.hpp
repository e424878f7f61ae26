#pragma once
/// check_layer(layer, extent) proves of any layer what every layer owes, on the reference backend in double precision:
///  - each kernel writes every number of the extent that was declared, and all are finite;
///  - gradients of images and parameters equal central differences, also where the layer is used twice under one name
///    (shared parameters, gradients that add up) and on inputs that others use as well;
///  - memory that was not written in a run is not read in it;
///  - the passes change nothing: fused training equals the recorded graph, folded inference equals evaluation.
/// check_net() does the same for a network, check_parity<Backend>() compares a backend with the reference.
/// All answer "" or one sentence: `CHECK(check_layer(Conv<3, 4>{}, {2, 5, 5}) == "")`.

#include "graph_runs.hpp"
#include "moecnn/testing/check_gradients.hpp"

namespace moecnn::test {

struct CheckOpts {
  double tolerance = 1e-6;  ///< gradients against central differences, relative
  int elements = 4;         ///< single numbers of each tensor that are checked, besides a direction through all
  bool differences = true;  ///< off where the backward pass is not the derivative (straight-through)
  std::string only = "";    ///< differences for parameters with this in their name, and not for the images
  bool inference = true;    ///< also the inference passes
  std::uint64_t seed = 1;   ///< the first that is tried; others follow where a row's top-k is nearly a tie
  StepContext step = {.training = true};
  std::function<void(ParamStore&)> prepare = nullptr;  ///< changes the random parameters
};

using testing::detail::Alone;
using testing::detail::Twice;

namespace detail {

using testing::routing_margin;
using testing::detail::Double;

inline bool finite(const std::vector<double>& v) {
  return std::all_of(v.begin(), v.end(), [](double x) { return std::isfinite(x); });
}

/// Every number of every edge that a kernel is said to write.
inline std::string all_written(const Program& program) {
  const Graph& g = program.graph();
  for (const Node& n : g.nodes) {
    const Edge& e = g.edges[n.output];
    auto v = program.read(n.output);
    // Of a mixture's slots only those in use hold anything.
    if (e.routing >= 0) {
      const Routing& r = program.routings()[e.routing];
      v.resize(v.size() / e.extent.n * (e.expert < 0 ? r.slots() : r.slots_of(e.expert)));
    }
    for (std::size_t i = 0; i < v.size(); ++i)
      if (std::isnan(v[i]))  // as the poison is; a constant gate may say -inf
        return fmt::format("the forward value of \"{}\" (node {}) is {} at element {} of {}", e.name,
                           g.edges[n.output].producer, v[i], i, v.size());
  }
  return "";
}

}  // namespace detail

/// The checks of the file's head for a recorded graph.
inline std::string check_graph(const Graph& graph, CheckOpts opts = {}) {
  using detail::Double;
  Rig<Double> rig;
  Program& program = rig.add_training(graph);
  Program& with_passes = rig.add_training(fused(graph));
  std::vector<int> everything;
  for (const Node& n : graph.nodes) everything.push_back(n.output);
  Program& kept = rig.add_training(graph, everything);

  // A seed whose routing is not decided by a hair.
  Batch batch;
  Outcome truth;
  opts.seed = testing::steady_seed(opts.seed, [&](std::uint64_t seed) {
    fill(rig.store, seed);
    if (opts.prepare) opts.prepare(rig.store);
    batch = random_batch(graph, seed);
    truth = run(rig, program, batch, opts.step);
    const double margin = detail::routing_margin(truth.routings);
    if (!opts.step.training || !opts.inference) return margin;
    return std::min(margin, detail::routing_margin(run(rig, program, batch, {}, Backward::no).routings));
  });

  const Outcome again = run(rig, kept, batch, opts.step);
  if (const auto trouble = detail::all_written(kept); !trouble.empty()) return trouble;
  if (!identical(truth, again)) return "results change when all values are kept: " + compare(truth, again, graph, 0);
  if (!identical(truth, run(rig, program, batch, opts.step))) return "two equal runs give different results";
  if (!detail::finite(truth.input_grad)) return "the gradient of the images is not finite";
  for (std::size_t i = 0; i < truth.param_grad.size(); ++i)
    if (!detail::finite(truth.param_grad[i])) return "the gradient of " + graph.params[i].name + " is not finite";

  if (opts.differences) {
    const testing::GradientOpts o{.tolerance = opts.tolerance,
                                  .elements = opts.elements,
                                  .only = opts.only,
                                  .seed = opts.seed,
                                  .step = opts.step};
    const auto found = testing::detail::Differences(rig, program, batch, {truth.input_grad, truth.param_grad}, o).all();
    if (!found.ok()) return found.text();
  }

  if (const auto trouble = compare(run(rig, with_passes, batch, opts.step), truth, graph, 1e-10); !trouble.empty())
    return "after fuse_norm_activation " + trouble;
  if (!opts.inference) return "";
  Program& inference = rig.add(folded(graph), {});
  const Outcome evaluated = run(rig, program, batch, {}, Backward::no);
  if (const auto trouble = compare(run(rig, inference, batch, {}, Backward::no), evaluated, graph, 1e-10);
      !trouble.empty())
    return "after the inference passes " + trouble;
  return "";
}

template <class Net>
std::string check_net(const Net& net, Extent images, const CheckOpts& opts = {}) {
  return check_graph(record(net, images), opts);
}

/// The layer alone, and twice under one name.
template <class Layer>
std::string check_layer(const Layer& layer, Extent images, const CheckOpts& opts = {}) {
  if (auto trouble = check_net(Alone<Layer>{layer}, images, opts); !trouble.empty()) return trouble;
  if (auto trouble = check_net(Twice<Layer>{layer}, images, opts); !trouble.empty()) return "used twice: " + trouble;
  return "";
}

struct ParityOpts {
  double tolerance = 1e-4;  ///< relative norm of the difference, per tensor
  std::uint64_t seed = 1;
  StepContext step = {.training = true};
};

/// A training step and an inference pass of `Backend`, with the passes that Model applies, against the reference in
/// double precision: result, routing, gradients, running statistics, constraint states.
template <class Backend>
std::string check_graph_parity(const Graph& graph, const ParityOpts& opts = {}) {
  Rig<detail::Double> reference;
  Rig<Backend> other;
  auto& truth = reference.add_training(graph);
  auto& trained = other.add_training(fused(graph));
  auto& recorded = other.add_training(graph);
  auto& inference = other.add(folded(graph), {});
  Batch batch;
  Outcome expected, evaluated;
  testing::steady_seed(opts.seed, [&](std::uint64_t seed) {
    fill(reference.store, seed);
    fill(other.store, seed);
    batch = random_batch(graph, seed);
    expected = run(reference, truth, batch, opts.step);
    evaluated = run(reference, truth, batch, {}, Backward::no);
    return std::min(detail::routing_margin(expected.routings), detail::routing_margin(evaluated.routings));
  });
  if (auto t = compare(run(other, recorded, batch, opts.step), expected, graph, opts.tolerance); !t.empty())
    return "in training, as recorded, " + t;
  if (auto t = compare(run(other, trained, batch, opts.step), expected, graph, opts.tolerance); !t.empty())
    return "in training, fused, " + t;
  if (auto t = compare(run(other, inference, batch, {}, Backward::no), evaluated, graph, opts.tolerance); !t.empty())
    return "in inference " + t;
  return "";
}

template <class Backend, class Net>
std::string check_parity(const Net& net, Extent images, const ParityOpts& opts = {}) {
  return check_graph_parity<Backend>(record(net, images), opts);
}

/// The same for a layer, alone and twice under one name.
template <class Backend, class Layer>
std::string check_layer_parity(const Layer& layer, Extent images, const ParityOpts& opts = {}) {
  if (auto t = check_parity<Backend>(Alone<Layer>{layer}, images, opts); !t.empty()) return t;
  if (auto t = check_parity<Backend>(Twice<Layer>{layer}, images, opts); !t.empty()) return "used twice: " + t;
  return "";
}

}  // namespace moecnn::test
