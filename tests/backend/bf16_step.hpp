#pragma once
/// One training step in bf16, and exactly.

#include "graph_runs.hpp"

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

}  // namespace moecnn::test
