#include "moecnn/layer/basic_block.hpp"

#include "check_layer.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using test::check_layer;

TEST_CASE("basic block: gradients with the identity and with a projection as shortcut") {
  CHECK(check_layer(BasicBlock<4, 4>{}, {3, 5, 4}) == "");
  CHECK(check_layer(BasicBlock<3, 5>{}, {2, 4, 4}) == "");
  CHECK(check_layer(BasicBlock<4, 4, 2>{}, {3, 5, 6}) == "");
}

TEST_CASE("stage: two blocks, the first halves the map where the channels change") {
  CHECK(check_layer(ResStage<3, 3>{}, {2, 4, 4}, {.elements = 2}) == "");
  CHECK(check_layer(ResStage<3, 4>{}, {3, 6, 6}, {.elements = 2}) == "");
  const Graph g = record(test::Alone<ResStage<64, 128>>{}, {2, 8, 8});
  CHECK(g.edges[g.outputs[0]].extent == Extent{2, 4, 4});
  CHECK(g.edges[g.outputs[0]].name == "layer");
  std::vector<std::string> names;
  for (const auto& p : g.params)
    if (p.name.ends_with("weight")) names.push_back(p.name);
  CHECK(names == std::vector<std::string>{"layer.0.conv1.weight", "layer.0.bn1.weight", "layer.0.conv2.weight",
                                          "layer.0.bn2.weight", "layer.0.downsample.0.weight",
                                          "layer.0.downsample.1.weight", "layer.1.conv1.weight", "layer.1.bn1.weight",
                                          "layer.1.conv2.weight", "layer.1.bn2.weight"});
}

TEST_CASE("stage: its parameter totals are ResNet-18's") {
  CHECK(parameter_count(record(test::Alone<ResStage<64, 64>>{}, {1, 8, 8})) == 147'968);
  CHECK(parameter_count(record(test::Alone<ResStage<64, 128>>{}, {1, 8, 8})) == 525'568);
  CHECK(parameter_count(record(test::Alone<ResStage<128, 256>>{}, {1, 8, 8})) == 2'099'712);
  CHECK(parameter_count(record(test::Alone<ResStage<256, 512>>{}, {1, 8, 8})) == 8'393'728);
}
