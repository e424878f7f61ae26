#include "moecnn/graph/passes/set_precision.hpp"

#include "graph/random_graphs.hpp"
#include "graph_runs.hpp"
#include "moecnn/layer/linear.hpp"

#include <doctest/doctest.h>

using namespace moecnn;

namespace {

/// Convolution, norm, a mixture with a learned gate, an unpooling, a classifier.
struct Net {
  static constexpr int in = 3;
  using Mixture = MoE<Conv<4, 4, ConvOpts{.kernel = 3, .pad = 1, .bias = true}>, 3, TopK<2>>;
  Value<5> wire(Recorder& g, Value<3> image) const {
    auto x = g("conv", Conv<3, 4, ConvOpts{.kernel = 3, .pad = 1, .bias = true}>{}, image);
    x = g.relu(g("bn", BatchNorm<4>{}, x));
    x = g("mixture", Mixture{}, x);
    const auto where = g.max_pool_indices(x, {.kernel = 2, .stride = 2});
    x = g.add(x, g.max_unpool(g.max_pool(x, {.kernel = 2, .stride = 2}), where, g.size(x)));
    return g("fc", Linear<4, 5>{}, g.global_avg_pool(x));
  }
};

Graph lowered(const std::vector<int>& keep = {}) {
  Graph g = record(Net{}, {4, 6, 6});
  passes::lower_precision(g, DType::bf16, keep);
  return g;
}

DType type_of(const Graph& g, const char* name) { return g.edges[g.find_edge(name)].dtype; }

}  // namespace

TEST_CASE("lower precision: what sees many numbers is low, what decides and what is handed out is not") {
  const Graph g = lowered();
  CHECK(type_of(g, "conv") == DType::bf16);
  CHECK(type_of(g, "bn") == DType::bf16);
  CHECK(type_of(g, "mixture") == DType::bf16);
  CHECK(g.edges[g.input].dtype == DType::f32);
  CHECK(g.edges[g.outputs[0]].dtype == DType::f32);
  int casts = 0;
  for (const Node& n : g.nodes) {
    const DType out = g.output_of(n).dtype;
    if (std::holds_alternative<ops::Cast>(n.op)) ++casts;
    if (std::holds_alternative<ops::Route>(n.op))
      for (int e : n.inputs) CHECK(g.edges[e].dtype == DType::f32);
    if (std::holds_alternative<ops::ArgMaxPool>(n.op)) CHECK(out == DType::f32);
    if (std::holds_alternative<ops::Gather>(n.op)) CHECK(out == DType::bf16);
    if (std::holds_alternative<ops::Linear>(n.op)) CHECK(out == DType::f32);
  }
  CHECK(casts == 1);  // the images
}

TEST_CASE("lower precision: weights are read from copies whose gradients belong to the originals") {
  const Graph recorded = record(Net{}, {4, 6, 6}), g = lowered();
  CHECK(g.recorded_params() == static_cast<int>(recorded.params.size()));
  CHECK(parameter_count(g) == parameter_count(recorded));
  int convs = 0;
  for (const Node& n : g.nodes) {
    if (const auto* linear = std::get_if<ops::Linear>(&n.op)) {
      const bool gate = linear->out == 3;  // a router reads it
      CHECK(g.params[n.params[0]].dtype == (gate ? DType::f32 : DType::bf16));
    }
    if (!std::holds_alternative<ops::Conv>(n.op)) continue;
    ++convs;
    for (int e = 0; e < n.experts; ++e) {
      const ParamSpec& p = g.params[n.params[0] + e];
      CHECK(p.dtype == DType::bf16);
      REQUIRE(p.source >= 0);
      CHECK(p.name == g.params[p.source].name + " (cast)");
    }
    CHECK(g.params[n.params[1]].dtype == DType::f32);
  }
  CHECK(convs == 2);
  CHECK(g.derived.size() == 3);
}

TEST_CASE("lower precision: kept values stay in full precision, and are cast for their readers") {
  const Graph plain = record(Net{}, {4, 6, 6});
  const Graph g = lowered({plain.find_edge("mixture")});
  CHECK(type_of(g, "mixture") == DType::f32);
  int readers = 0;
  for (const Node& n : g.nodes)
    for (int e : n.inputs)
      if (e == g.find_edge("mixture")) readers += std::holds_alternative<ops::Cast>(n.op) ? 1 : 100;
  CHECK(readers == 1);  // one cast for all
}

TEST_CASE("lower precision: every graph still runs in the order of its nodes") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    Graph g = graph_test::random_graph(seed);
    passes::lower_precision(g, DType::bf16);
    std::vector<char> made(g.edges.size(), 0);
    for (std::size_t n = 0; n < g.nodes.size(); ++n) {
      for (int e : g.nodes[n].inputs) CHECK(made[e]);
      made[g.nodes[n].output] = 1;
      CHECK(g.output_of(g.nodes[n]).producer == static_cast<int>(n));
      if (std::holds_alternative<ops::Route>(g.nodes[n].op))
        CHECK(g.routings[g.nodes[n].routing].node == static_cast<int>(n));
    }
  }
}
