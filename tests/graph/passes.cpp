// That the passes change no result is checked for every layer (check_layer.hpp) and for random networks (plan.cpp).
// Here: that they do what they are for, and where they must not.
#include "graph/random_graphs.hpp"
#include "moecnn/graph/passes/set_k.hpp"
#include "moecnn/zoo/cifar_moe.hpp"

#include <doctest/doctest.h>

using namespace moecnn;

namespace {

template <class Op>
int count(const Graph& g) {
  int n = 0;
  for (const Node& node : g.nodes) n += std::holds_alternative<Op>(node.op);
  return n;
}

}  // namespace

TEST_CASE("fuse_norm_activation: a residual network keeps no sum and no ReLU of its own") {
  Graph g = record(CifarMoENet{.position = 0}, {2, 32, 32});
  CHECK(count<ops::Relu>(g) == 17);
  CHECK(count<ops::Add>(g) == 8);
  g = test::fused(g);
  CHECK(count<ops::Relu>(g) == 0);
  CHECK(count<ops::Add>(g) == 0);
  CHECK(count<ops::BatchNorm>(g) == 20);
}

TEST_CASE("fuse_norm_activation: a value that is to stay visible stays") {
  const Graph g = record(test::Alone<BasicBlock<4, 4>>{}, {2, 5, 5});
  for (const Node& n : g.nodes) {
    if (!std::holds_alternative<ops::BatchNorm>(n.op)) continue;
    const Graph kept = test::fused(g, {n.output});
    CHECK(kept.edges[n.output].producer >= 0);
    CHECK(test::fused(g).edges[n.output].producer == -1);
  }
}

TEST_CASE("fold_batch_norm: inference has convolutions alone, inside experts too") {
  for (const int position : {0, 4}) {
    const Graph g = test::folded(record(CifarMoENet{.position = position}, {2, 32, 32}));
    CHECK(count<ops::BatchNorm>(g) == 0);
    CHECK(count<ops::Relu>(g) == 0);
    for (const Node& n : g.nodes)
      if (const auto* c = std::get_if<ops::Conv>(&n.op)) CHECK(c->bias);
    for (const Derived& f : g.derived) CHECK(g.params[f.derived_weight].name.ends_with("weight (folded)"));
  }
}

namespace {

struct ConvReluConv {
  static constexpr int in = 3;
  bool read_twice = false;
  Value<4> wire(Recorder& g, Value<3> x) const {
    const auto a = g("first", Conv<3, 4, ConvOpts{.kernel = 3, .bias = true}>{}, x), b = g.relu(a);
    return g("last", Conv<4, 4>{}, read_twice ? g.add(a, b) : b);
  }
};

}  // namespace

TEST_CASE("fuse_conv_activation: a convolution takes in the ReLU that alone reads it") {
  Graph g = record(ConvReluConv{}, {2, 5, 5});
  passes::fuse_conv_activation(g);
  CHECK(count<ops::Relu>(g) == 0);
  CHECK(std::get<ops::Conv>(g.nodes[1].op).relu);
  CHECK_FALSE(std::get<ops::Conv>(g.nodes[2].op).relu);
  CHECK(g.nodes[1].output == g.nodes[2].inputs[0]);

  Graph twice = record(ConvReluConv{.read_twice = true}, {2, 5, 5});
  passes::fuse_conv_activation(twice);
  CHECK(count<ops::Relu>(twice) == 1);
  Graph kept = record(ConvReluConv{}, {2, 5, 5});
  passes::fuse_conv_activation(kept, {kept.nodes[1].output});
  CHECK(count<ops::Relu>(kept) == 1);
}

TEST_CASE("fold_batch_norm: the program folds anew when parameters change or training moves the statistics") {
  const Graph g = record(test::Alone<BasicBlock<4, 4>>{}, {3, 4, 4});
  test::Rig<backend::Reference<double>> rig;
  auto& training = rig.add_training(g);
  auto& inference = rig.add(test::folded(g), {});
  test::fill(rig.store, 1);
  const auto batch = test::random_batch(g, 1);
  const auto evaluated = [&](auto& program) {
    test::forward(program, batch, {});
    return program.read(program.graph().outputs[0]);
  };
  CHECK(test::distance(evaluated(inference), evaluated(training)) < 1e-12);
  const auto before = evaluated(inference);
  test::forward(training, batch, {.training = true});  // running statistics move, nobody calls touch()
  CHECK(test::distance(evaluated(inference), before) > 1e-3);
  CHECK(test::distance(evaluated(inference), evaluated(training)) < 1e-12);
  test::fill(rig.store, 2);
  CHECK(test::distance(evaluated(inference), evaluated(training)) < 1e-12);
}

TEST_CASE("drop_unused: unread results and, for inference, the noise go; routings stay") {
  Graph g = record(CifarMoENet{.position = 1}, {2, 8, 8});
  Recorder recorder(g);
  recorder("unread", Conv<64, 64>{}, Value<64>{g.find_edge("layer1")});
  const auto named = [](const Graph& graph, const std::string& name) {
    return std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const Node& n) { return n.name == name; });
  };
  CHECK(named(g, "unread"));
  CHECK(named(g, "layer1.gate.noise"));
  Graph with_noise = g;
  passes::drop_unused(with_noise, false);
  CHECK_FALSE(named(with_noise, "unread"));
  CHECK(named(with_noise, "layer1.gate.noise"));
  passes::drop_unused(g, true);
  CHECK_FALSE(named(g, "layer1.gate.noise"));
  CHECK(count<ops::Route>(g) == 1);
  for (const RoutingSpec& r : g.routings) CHECK(std::holds_alternative<ops::Route>(g.nodes[r.node].op));
  for (std::size_t n = 0; n < g.nodes.size(); ++n) CHECK(g.edges[g.nodes[n].output].producer == static_cast<int>(n));
}

TEST_CASE("set_k: slots grow and shrink with k, impossible ones are refused") {
  Graph g = record(CifarMoENet{.position = 2, .k = 2}, {5, 8, 8});
  passes::set_k(g, 3);
  CHECK(g.routings[0].k == 3);
  int slots = 0;
  for (const Edge& e : g.edges) {
    if (e.routing < 0) continue;
    CHECK(e.extent.n == 15);
    ++slots;
  }
  CHECK(slots > 10);
  CHECK_THROWS_WITH_AS(passes::set_k(g, 5),
                       "layer2: k = 5 is not possible with 4 experts; choose 1 to 4, or every_expert", Error);
  CHECK_THROWS_AS(passes::set_k(g, 0), Error);
  CHECK_THROWS_AS(passes::set_k(g, -2), Error);
}
