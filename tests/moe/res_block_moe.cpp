#include "moecnn/moe/res_block_moe.hpp"

#include "moe/mixture_nets.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using namespace mixture_test;

TEST_CASE("a mixture instead of a stage: gradients with and without a projection") {
  using Same = ResBlockMoE<NarrowBlocks<4, 2, 4>, 3, TopK<2>, gate::GapLinear, balance::Importance>;
  using Half =
      ResBlockMoE<NarrowBlocks<4, 2, 6>, 3, TopK<2>, gate::GapLinear, balance::None, constraint::RelativeImportance>;
  CHECK(test::check_layer(Same{}, {5, 4, 4}, {.elements = 1}) == "");
  CHECK(test::check_layer(Half{}, {5, 6, 6}, {.elements = 1}) == "");
}

TEST_CASE("a mixture instead of a stage: names and parameters of the projection") {
  using Second = ResBlockMoE<NarrowBlocks<64, 50, 128>, 4, TopK<2>>;
  const Graph g = record(test::Alone<Second>{}, {2, 8, 8});
  std::vector<std::string> names;
  long long shortcut = 0;
  for (const auto& p : g.params)
    if (p.name.find("layer.shortcut.") == 0) {
      names.push_back(p.name);
      if (p.trained) shortcut += p.elements();
    }
  CHECK(names == std::vector<std::string>{"layer.shortcut.0.weight", "layer.shortcut.1.weight", "layer.shortcut.1.bias",
                                          "layer.shortcut.1.running_mean", "layer.shortcut.1.running_var"});
  CHECK(shortcut == 8'448);
  CHECK(g.edges[g.outputs[0]].extent == Extent{2, 4, 4});

  const Graph first = record(test::Alone<ResBlockMoE<NarrowBlocks<64, 25, 64>, 4, TopK<2>>>{}, {2, 8, 8});
  for (const auto& p : first.params) CHECK(p.name.find("shortcut") == std::string::npos);
}

TEST_CASE("a mixture instead of a stage: the sum has no activation behind it") {
  using Same = ResBlockMoE<NarrowBlocks<4, 2, 4>, 3, TopK<2>>;
  const Graph g = record(test::Alone<Same>{}, {4, 4, 4});
  CHECK(std::holds_alternative<ops::Add>(g.nodes.back().op));
  test::Rig<backend::Reference<double>> rig;
  auto& program = rig.add_training(g);
  test::fill(rig.store, 1);
  const auto y = test::run(rig, program, test::random_batch(g, 1), {.training = true}, test::Backward::no).result;
  CHECK(*std::min_element(y.begin(), y.end()) < 0);
}
