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

#include <functional>

namespace moecnn::test {

struct CheckOpts {
  double tolerance = 1e-6;  ///< gradients against central differences, relative
  int elements = 4;         ///< single numbers of each tensor that are checked, besides a direction through all
  bool differences = true;  ///< off where the backward pass is not the derivative (straight-through)
  std::string only = "";    ///< differences for parameters with this in their name, and not for the images
  bool inference = true;    ///< also the inference passes
  std::uint64_t seed = 1;   ///< the first that is tried; others follow where a row's top-k is nearly a tie
  StepContext step = {.training = true};
  std::function<void(ParamStore<double>&)> prepare = nullptr;  ///< changes the random parameters
};

/// A network of one layer.
template <class Layer>
struct Alone {
  static constexpr int in = Layer::in;
  Layer layer{};
  auto wire(Recorder& g, Value<in> x) const { return g("layer", layer, x); }
};

/// One layer used twice under one name, on values that have other readers.
template <class Layer>
struct Twice {
  static constexpr int in = Layer::in;
  Layer layer{};
  auto wire(Recorder& g, Value<in> x) const {
    const auto other = g.add(g.relu(x), g.add(x, x));
    return g.add(g("layer", layer, x), g("layer", layer, other));
  }
};

namespace detail {

/// The smallest distance between a logit that was chosen and one that was not, or between the best two, over all rows:
/// where it is small, a difference quotient may step over the place where the routing changes.
inline double routing_margin(const std::vector<Routing>& routings) {
  double margin = std::numeric_limits<double>::infinity();
  for (const Routing& r : routings)
    for (int row = 0; row < r.rows; ++row) {
      std::vector<double> z;
      for (int e = 0; e < r.experts; ++e)
        if (!r.barred[e]) z.push_back(r.logits(row, e));
      std::sort(z.begin(), z.end(), std::greater<>());
      for (const std::size_t i : {std::size_t(1), static_cast<std::size_t>(r.k)})
        if ((i > 1 || r.k == 1 || r.balance_loss != 0) && i < z.size() && std::isfinite(z[i]))
          margin = std::min(margin, z[i - 1] - z[i]);
    }
  return margin;
}

using Double = backend::Reference<double>;

/// Compares gradients with central differences. Perturbs the images or a parameter along a direction.
class Differences {
 public:
  Differences(Rig<Double>& rig, Program<Double>& program, Batch batch, const CheckOpts& opts, const Outcome& truth)
      : rig_(rig), program_(program), batch_(std::move(batch)), opts_(opts), memory_(rig.store) {
    largest_ = max_of(truth.input_grad);
    for (const auto& g : truth.param_grad) largest_ = std::max(largest_, max_of(g));
  }

  /// `id` -1: the images.
  std::string look(int id, const std::vector<double>& gradient) {
    const auto n = gradient.size();
    auto direction = random_numbers(opts_.seed, "direction", n);
    const double length = norm(direction);
    for (double& v : direction) v /= length;
    std::string trouble = along(id, gradient, direction, "along a random direction");
    const Rng rng(opts_.seed, Purpose::other, hash_name("elements"));
    for (int j = 0; j < opts_.elements && trouble.empty(); ++j) {
      const auto i = rng.below(n, static_cast<std::uint64_t>(j));
      std::vector<double> unit(n, 0.0);
      unit[i] = 1;
      trouble = along(id, gradient, unit, fmt::format("at element {}", i));
    }
    return trouble;
  }

 private:
  static double max_of(const std::vector<double>& v) {
    double m = 0;
    for (double x : v) m = std::max(m, std::abs(x));
    return m;
  }

  std::string along(int id, const std::vector<double>& gradient, const std::vector<double>& d,
                    const std::string& where) {
    double expected = 0, quotient = 0, off = 0;
    for (std::size_t i = 0; i < d.size(); ++i) expected += gradient[i] * d[i];
    // A kink (of a ReLU, a maximum) between the two points spoils a quotient; with a smaller step it goes, a mistake stays.
    for (const double h : {1e-5, 1e-6, 1e-7}) {
      quotient = (at(id, d, h) - at(id, d, -h)) / (2 * h);
      off = std::abs(quotient - expected) / std::max({std::abs(expected), std::abs(quotient), 1e-3 * largest_, 1e-12});
      if (off < opts_.tolerance) return "";
    }
    return fmt::format("the gradient of {} {} is {:.12g}, central differences give {:.12g} ({:.2g} relative)",
                       id < 0 ? "the images" : rig_.store.spec(id).name, where, expected, quotient, off);
  }

  double at(int id, const std::vector<double>& d, double h) {
    memory_.restore();
    if (id < 0) {
      Batch moved = batch_;
      for (std::size_t i = 0; i < d.size(); ++i) moved.images[i] += h * d[i];
      return forward(program_, moved, opts_.step);
    }
    const auto before = rig_.store.read(id);
    auto moved = before;
    for (std::size_t i = 0; i < d.size(); ++i) moved[i] += h * d[i];
    rig_.store.write(id, moved.data());
    const double loss = forward(program_, batch_, opts_.step);
    rig_.store.write(id, before.data());
    memory_.restore();
    return loss;
  }

  Rig<Double>& rig_;
  Program<Double>& program_;
  Batch batch_;
  CheckOpts opts_;
  Memory<double> memory_;
  double largest_ = 0;
};

inline bool finite(const std::vector<double>& v) {
  return std::all_of(v.begin(), v.end(), [](double x) { return std::isfinite(x); });
}

/// Every number of every edge that a kernel is said to write.
inline std::string all_written(const Program<Double>& program) {
  const Graph& g = program.graph();
  for (const Node& n : g.nodes) {
    const Edge& e = g.edges[n.output];
    auto v = program.read(n.output);
    // Of a mixture's slots only those in use hold anything.
    if (e.routing >= 0) v.resize(v.size() / e.extent.n * program.routings()[e.routing].slots());
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
  Program<Double>& program = rig.add_training(graph);
  Program<Double>& with_passes = rig.add_training(fused(graph));
  std::vector<int> everything;
  for (const Node& n : graph.nodes) everything.push_back(n.output);
  Program<Double>& kept = rig.add_training(graph, everything);

  // A seed whose routing is not decided by a hair.
  Batch batch;
  Outcome truth;
  const std::uint64_t last = opts.seed + 200;
  for (double margin = 0; margin < 1e-3; ++opts.seed) {
    if (opts.seed == last) return "200 seeds were tried and in each a row's routing hangs on less than 1e-3";
    fill(rig.store, opts.seed);
    if (opts.prepare) opts.prepare(rig.store);
    batch = random_batch(graph, opts.seed);
    truth = run(rig, program, batch, opts.step);
    margin = detail::routing_margin(truth.routings);
    if (opts.step.training && opts.inference)
      margin = std::min(margin, detail::routing_margin(run(rig, program, batch, {}, Backward::no).routings));
  }

  const Outcome again = run(rig, kept, batch, opts.step);
  if (const auto trouble = detail::all_written(kept); !trouble.empty()) return trouble;
  if (!identical(truth, again)) return "results change when all values are kept: " + compare(truth, again, graph, 0);
  if (!identical(truth, run(rig, program, batch, opts.step))) return "two equal runs give different results";
  if (!detail::finite(truth.input_grad)) return "the gradient of the images is not finite";
  for (std::size_t i = 0; i < truth.param_grad.size(); ++i)
    if (!detail::finite(truth.param_grad[i])) return "the gradient of " + graph.params[i].name + " is not finite";

  if (opts.differences) {
    detail::Differences differences(rig, program, batch, opts, truth);
    std::string trouble = opts.only.empty() ? differences.look(-1, truth.input_grad) : "";
    for (int i = 0; i < rig.store.size() && trouble.empty(); ++i)
      if (rig.store.spec(i).trained && rig.store.spec(i).name.find(opts.only) != std::string::npos)
        trouble = differences.look(i, truth.param_grad[i]);
    if (!trouble.empty()) return trouble;
  }

  if (const auto trouble = compare(run(rig, with_passes, batch, opts.step), truth, graph, 1e-10); !trouble.empty())
    return "after fuse_norm_activation " + trouble;
  if (!opts.inference) return "";
  Program<Double>& inference = rig.add(folded(graph), {});
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
std::string check_graph_parity(const Graph& graph, ParityOpts opts = {}) {
  Rig<detail::Double> reference;
  Rig<Backend> other;
  auto& truth = reference.add_training(graph);
  auto& trained = other.add_training(fused(graph));
  auto& recorded = other.add_training(graph);
  auto& inference = other.add(folded(graph), {});
  Batch batch;
  Outcome expected, evaluated;
  const std::uint64_t last = opts.seed + 200;
  for (double margin = 0; margin < 1e-3; ++opts.seed) {
    if (opts.seed == last) return "200 seeds were tried and in each a row's routing hangs on less than 1e-3";
    fill(reference.store, opts.seed);
    fill(other.store, opts.seed);
    batch = random_batch(graph, opts.seed);
    expected = run(reference, truth, batch, opts.step);
    evaluated = run(reference, truth, batch, {}, Backward::no);
    margin = std::min(detail::routing_margin(expected.routings), detail::routing_margin(evaluated.routings));
  }
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
