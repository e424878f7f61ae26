#pragma once
/// \file
/// Gradients against central differences, for layers, gates and policies of your own:
///
///     const auto found = moecnn::testing::check_layer(MyLayer{});
///     assert(found.ok());   // found.text() says where it is worst
///
/// Everything runs in double precision on the reference backend, with random parameters and images. In place of one
/// number at a time, a random direction through each tensor is checked, and a few single elements of it.

#include "moecnn/layer/conv.hpp"
#include "moecnn/moe/moe.hpp"
#include "moecnn/testing/random_run.hpp"

#include <functional>

namespace moecnn::testing {

struct GradientOpts {
  double tolerance = 1e-6;  ///< relative error at which GradientCheck::ok() turns false
  int elements = 4;         ///< single numbers of each tensor that are checked, besides a direction through all
  std::string only = "";    ///< only parameters with this in their name, and not the images
  std::uint64_t seed = 1;   ///< the first that is tried; others follow where a row's top-k is nearly a tie
  StepContext step = {.training = true};
  std::function<void(ParamStore&)> prepare = nullptr;  ///< changes the random parameters
  bool balance_only = false;                           ///< the loss is that of the balance policies alone
};

/// The place where a gradient is furthest from the central difference.
struct GradientCheck {
  double error = 0;     ///< relative; gradients below 1/1000 of the largest count as being of that size
  std::string place;    ///< "layer.weight at element 3"; empty where the network has no gradients at all
  double gradient = 0;  ///< by the backward pass
  double quotient = 0;  ///< by central differences
  double tolerance = 0;

  bool ok() const { return error <= tolerance; }
  std::string text() const {
    if (place.empty()) return "there is no gradient to check";
    return formatted("the gradient of {} is {}, central differences give {} ({} relative, {} allowed)", place,
                     fmt::format("{:.12g}", gradient), fmt::format("{:.12g}", quotient), fmt::format("{:.2g}", error),
                     fmt::format("{:.2g}", tolerance));
  }
};

namespace detail {

/// A network of one layer.
template <class Layer>
struct Alone {
  static constexpr int in = Layer::in;
  Layer layer{};
  auto wire(Recorder& g, Value<in> x) const { return g("layer", layer, x); }
};
template <class Layer>
Alone(Layer) -> Alone<Layer>;  // Clang deduces this by itself from 17 on

/// One layer used twice under one name, on values that have other readers: its gradients add up.
template <class Layer>
struct Twice {
  static constexpr int in = Layer::in;
  Layer layer{};
  auto wire(Recorder& g, Value<in> x) const {
    const auto other = g.add(g.relu(x), g.add(x, x));
    return g.add(g("layer", layer, x), g("layer", layer, other));
  }
};
template <class Layer>
Twice(Layer) -> Twice<Layer>;

/// A gate alone: its logits are the network's result.
template <class Gate, int N, int C>
struct GateAlone {
  static constexpr int in = C;
  Gate gate{};
  int experts = N;
  Value<N> wire(Recorder& g, Value<in> x) const {
    const auto scope = g.scope("gate");
    return {gate.template wire<N, in>(g, x, Experts<N>{experts}).edge};
  }
};

using Double = backend::Reference<double>;

/// Central differences of one batch's loss, by moving the images or a parameter along a direction.
class Differences {
 public:
  Differences(Rig<Double>& rig, Program& program, Batch batch, Gradients gradients, const GradientOpts& opts)
      : rig_(rig),
        program_(program),
        batch_(std::move(batch)),
        gradients_(std::move(gradients)),
        opts_(opts),
        memory_(rig.store) {
    const auto look = [&](const std::vector<double>& v) {
      for (double x : v) largest_ = std::max(largest_, std::abs(x));
    };
    look(gradients_.images);
    for (const auto& v : gradients_.params) look(v);
    worst_.tolerance = opts_.tolerance;
  }

  /// The worst of all.
  GradientCheck all() {
    if (opts_.only.empty()) look(-1, gradients_.images);
    for (int i = 0; i < rig_.store.size(); ++i)
      if (rig_.store.spec(i).learns() && rig_.store.spec(i).name.find(opts_.only) != std::string::npos)
        look(i, gradients_.params[i]);
    return worst_;
  }

 private:
  /// `id` -1: the images.
  void look(int id, const std::vector<double>& gradient) {
    const auto n = gradient.size();
    if (n == 0) return;
    auto direction = random_numbers(opts_.seed, "direction", n);
    double square = 0;
    for (double v : direction) square += v * v;
    for (double& v : direction) v /= std::sqrt(square);
    along(id, gradient, direction, "along a random direction");
    const Rng rng(opts_.seed, Purpose::other, hash_name("elements"));
    for (int j = 0; j < opts_.elements; ++j) {
      const auto i = rng.below(n, static_cast<std::uint64_t>(j));
      std::vector<double> unit(n, 0.0);
      unit[i] = 1;
      along(id, gradient, unit, formatted("at element {}", i));
    }
  }

  void along(int id, const std::vector<double>& gradient, const std::vector<double>& d, const std::string& where) {
    double expected = 0;
    for (std::size_t i = 0; i < d.size(); ++i)
      if (d[i] != 0) expected += gradient[i] * d[i];
    GradientCheck best{std::numeric_limits<double>::infinity(), "", expected, 0, opts_.tolerance};
    // A kink (of a ReLU, a maximum) between the two points spoils a quotient; with a smaller step it goes, a mistake stays.
    for (const double h : {1e-5, 1e-6, 1e-7}) {
      const double quotient = (at(id, d, h) - at(id, d, -h)) / (2 * h);
      const double error =
          std::abs(quotient - expected) / std::max({std::abs(expected), std::abs(quotient), 1e-3 * largest_, 1e-12});
      if (error < best.error || std::isinf(best.error)) best.quotient = quotient;
      if (error < best.error) best.error = error;  // stays infinite where all are NaN
      if (best.ok()) break;
    }
    if (!worst_.place.empty() && !(best.error > worst_.error)) return;
    best.place = (id < 0 ? "the images" : rig_.store.spec(id).name) + " " + where;
    worst_ = best;
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
  Program& program_;
  Batch batch_;
  Gradients gradients_;
  GradientOpts opts_;
  Snapshot memory_;
  double largest_ = 0;
  GradientCheck worst_;
};

}  // namespace detail

/// Checks a recorded graph. The loss is the graph's own, or a random combination of its result, plus the balance losses.
inline GradientCheck check_graph(const Graph& graph, GradientOpts opts = {}) {
  Rig<detail::Double> rig;
  Program& program = rig.add_training(graph);
  Batch batch;
  Gradients gradients;
  opts.seed = steady_seed(opts.seed, [&](std::uint64_t seed) {
    fill(rig.store, seed);
    if (opts.prepare) opts.prepare(rig.store);
    batch = random_batch(graph, seed);
    if (opts.balance_only) std::fill(batch.c.begin(), batch.c.end(), 0.0);
    const Snapshot before(rig.store);
    std::ranges::fill(rig.store.gradients<double>(), 0.0);
    forward(program, batch, opts.step);
    gradients = backward(rig.store, program, batch, opts.step);
    before.restore();
    return routing_margin(program.routings());
  });
  return detail::Differences(rig, program, std::move(batch), std::move(gradients), opts).all();
}

template <class Net>
GradientCheck check_net(const Net& net, Extent images = {5, 6, 6}, const GradientOpts& opts = {}) {
  return check_graph(record(net, images), opts);
}

/// A layer (or expert) alone, and used twice under one name.
template <class Layer>
GradientCheck check_layer(const Layer& layer, Extent images = {5, 6, 6}, const GradientOpts& opts = {}) {
  const GradientCheck once = check_net(detail::Alone<Layer>{layer}, images, opts);
  GradientCheck twice = check_net(detail::Twice<Layer>{layer}, images, opts);
  if (!(twice.error > once.error)) return once;
  twice.place += ", used twice";
  return twice;
}

/// A gate for N experts on an input of C channels.
template <int N = 4, int C = 5, class Gate>
GradientCheck check_gate(const Gate& gate, Extent images = {5, 6, 6}, const GradientOpts& opts = {}) {
  return check_net(detail::GateAlone<Gate, N, C>{gate}, images, opts);
}

/// The gradients of a balance policy, through the router and the gate of a mixture of N experts: its loss is the only one.
template <int N = 4, class Balance>
GradientCheck check_balance(const Balance& balance, GradientOpts opts = {}) {
  opts.balance_only = true;
  return check_net(MoE<Conv<4, 3>, N, TopK<(N > 2 ? 2 : N)>, gate::GapLinear, Balance>{.balance = balance}, {5, 4, 4},
                   opts);
}

/// A mixture of N experts with this constraint, whose state begins as if expert 0 had been used most. The error is large
/// where the constraint does not always bar the same experts for the same state.
template <int N = 4, class Constraint>
GradientCheck check_constraint(const Constraint& constraint, const GradientOpts& opts = {}) {
  using Mixture = MoE<Conv<4, 3>, N, TopK<(N > 2 ? 2 : N)>, gate::GapLinear, balance::Importance, Constraint>;
  return check_net(Mixture{.constraint = constraint}, {5, 4, 4}, opts);
}

}  // namespace moecnn::testing
