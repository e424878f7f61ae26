#pragma once
/// One training step in bf16, and exactly.

#include "graph_runs.hpp"
#include "moecnn/layer/batch_norm.hpp"
#include "moecnn/layer/conv.hpp"

namespace moecnn::test {

struct Bf16Step {
  Outcome bf16, exact;
};

/// One training step with gates that decide clearly, in bf16 on `BackendType` and exactly.
template <class BackendType>
Bf16Step bf16_step(const Graph& graph, std::uint64_t seed) {
  Rig<backend::Reference<double>> exact;
  Rig<BackendType> low{.precision = Precision::bf16};
  auto &a = exact.add_training(graph), &b = low.add_training(graph);
  Bf16Step r;
  testing::steady_seed(seed, [&](std::uint64_t s) {
    fill(exact.store, s), fill(low.store, s);
    const auto batch = random_batch(graph, s);
    const StepContext step{.training = true, .seed = s};
    r.exact = run(exact, a, batch, step);
    r.bf16 = run(low, b, batch, step);
    return std::min(testing::routing_margin(r.exact.routings), testing::routing_margin(r.bf16.routings)) / 30;
  });
  return r;
}

/// Without kinks, at which a rounding error may flip a slope.
struct SmoothNet {
  static constexpr int in = 3;
  Value<5> wire(Recorder& g, Value<3> x) const {
    const auto y = g.sigmoid(g("bn", BatchNorm<4>{}, g("conv", Conv<3, 4, ConvOpts{.kernel = 3, .pad = 1}>{}, x)));
    return g("last", Conv<4, 5, ConvOpts{.kernel = 3, .bias = true}>{}, g.multiply(y, y));
  }
};

inline Graph smooth_graph() { return record(SmoothNet{}, {4, 6, 6}); }

/// The largest distance of a gradient from the exact one.
inline double worst_gradient(const Bf16Step& s) {
  double worst = distance(s.bf16.input_grad, s.exact.input_grad);
  for (std::size_t i = 0; i < s.exact.param_grad.size(); ++i)
    if (norm(s.exact.param_grad[i]) > 1e-6)  // of a bias in front of a norm nothing but rounding is left
      worst = std::max(worst, distance(s.bf16.param_grad[i], s.exact.param_grad[i]));
  return worst;
}

/// That of all gradients together.
inline double gradient_distance(const Bf16Step& s) {
  std::vector<double> a, b;
  for (std::size_t i = 0; i < s.exact.param_grad.size(); ++i) {
    a.insert(a.end(), s.bf16.param_grad[i].begin(), s.bf16.param_grad[i].end());
    b.insert(b.end(), s.exact.param_grad[i].begin(), s.exact.param_grad[i].end());
  }
  return distance(a, b);
}

}  // namespace moecnn::test
