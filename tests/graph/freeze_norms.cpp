#include "moecnn/graph/passes/freeze_norms.hpp"

#include "graph/random_graphs.hpp"
#include "io/scratch.hpp"
#include "moecnn/layer/basic_block.hpp"
#include "moecnn/moe/res_block_moe.hpp"
#include "moecnn/testing/check_gradients.hpp"

#include <doctest/doctest.h>

using namespace moecnn;

namespace {

/// A block, and experts with norms of their own.
struct Norms {
  static constexpr int in = 3, out = 4;
  Value<4> wire(Recorder& g, Value<3> x) const {
    const auto y = g("layer1", BasicBlock<3, 4>{}, x);
    const auto z = g("layer2", MoE<BasicBlock<4, 4>, 3, TopK<2>>{}, y);
    return g("fc", Linear<4, 4>{}, g.global_avg_pool(z));
  }
};

std::vector<std::string> frozen_in(const Graph& g) {
  std::vector<std::string> names;
  for (const ParamSpec& p : g.params)
    if (p.frozen) names.push_back(p.name);
  return names;
}

}  // namespace

TEST_CASE("freeze_norms: patterns choose norms by name, one name for all experts") {
  Graph g = record(Norms{}, {4, 6, 6});
  passes::freeze_norms(g, {"layer1.bn1"});
  CHECK(frozen_in(g) == std::vector<std::string>{"layer1.bn1.weight", "layer1.bn1.bias"});
  passes::freeze_norms(g, {"layer2.*"});
  CHECK(frozen_in(g).size() == 2 + 2 * 2 * 3);  // two norms in each of three experts
  int frozen = 0, norms = 0;
  for (const Node& n : g.nodes)
    if (const auto* norm = std::get_if<ops::BatchNorm>(&n.op)) ++norms, frozen += norm->frozen;
  CHECK(norms == 5);
  CHECK(frozen == 3);
  const auto text = error_of([&] { passes::freeze_norms(g, {"layr1.*"}); });
  INFO(text);
  CHECK(has(text, "\"layr1.*\" matches no batch norm"));
  CHECK(has(text, "close: layer1.bn1, layer1.bn2"));
  Graph none = record(Conv<3, 4>{}, {1, 4, 4});
  CHECK(has(error_of([&] { passes::freeze_norms(none, {"*"}); }), "the network has none"));
}

TEST_CASE("freeze_norms: training uses the running statistics, leaves them, and its gradients are right") {
  for (const bool fuse : {false, true}) {
    CAPTURE(fuse);
    Graph g = record(Norms{}, {5, 6, 6});
    passes::freeze_norms(g, {"*"});
    if (fuse) g = test::fused(g);
    const auto found = testing::check_graph(g);
    INFO(found.text());
    CHECK(found.ok());
    CHECK_FALSE(found.place.empty());

    test::Rig<backend::Reference<double>> rig;
    Program& program = rig.add_training(g);
    test::fill(rig.store, 3);
    const auto batch = test::random_batch(g, 3);
    const auto training = test::run(rig, program, batch, {.training = true, .noise_off = true});
    const auto testing = test::run(rig, program, batch, {.training = false, .noise_off = true}, test::Backward::no);
    CHECK(training.result == testing.result);
    const auto mean = rig.store.read(rig.store.find("layer1.bn1.running_mean"));
    CHECK(training.buffers[static_cast<std::size_t>(rig.store.find("layer1.bn1.running_mean"))] == mean);
  }
}
