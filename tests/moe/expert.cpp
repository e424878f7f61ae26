#include "moecnn/moe/expert.hpp"

#include "check_layer.hpp"

#include <doctest/doctest.h>

using namespace moecnn;

TEST_CASE("narrow blocks: gradients and extents") {
  CHECK(test::check_layer(NarrowBlocks<4, 2, 4>{}, {3, 4, 4}, {.elements = 2}) == "");
  CHECK(test::check_layer(NarrowBlocks<3, 2, 6>{}, {3, 5, 6}, {.elements = 2}) == "");
  const Graph g = record(test::Alone<NarrowBlocks<4, 2, 6>>{}, {3, 8, 6});
  CHECK(g.edges[g.outputs[0]].extent == Extent{3, 4, 3});
  CHECK(NarrowBlocks<4, 2, 4>::stride == 1);
}

TEST_CASE("narrow blocks: parameters and multiply-accumulates of the study's experts") {
  const auto params = [](const auto& expert, Extent e) { return parameter_count(record(test::Alone{expert}, e)); };
  const auto macs = [](const auto& expert, Extent e) { return macs_per_image(record(test::Alone{expert}, e)); };
  constexpr NarrowBlocks<64, 25, 64> first;
  constexpr NarrowBlocks<64, 50, 128> second;
  constexpr NarrowBlocks<128, 90, 256> third;
  constexpr NarrowBlocks<256, 180, 512> fourth;
  CHECK(params(first, {1, 32, 32}) == 75'023);
  CHECK(params(second, {1, 32, 32}) == 267'024);
  CHECK(params(third, {1, 16, 16}) == 1'010'400);
  CHECK(params(fourth, {1, 8, 8}) == 4'037'448);
  CHECK(macs(first, {1, 32, 32}) == 76'276'736);
  CHECK(macs(second, {1, 32, 32}) == 68'084'736);
  CHECK(macs(third, {1, 16, 16}) == 64'532'736);
  CHECK(macs(fourth, {1, 8, 8}) == 64'532'736);
}

TEST_CASE("narrow blocks: both blocks project their shortcut, and start as PyTorch's defaults do") {
  const Graph g = record(test::Alone<NarrowBlocks<64, 25, 64>>{}, {1, 4, 4});
  std::vector<std::string> names;
  for (const auto& p : g.params) {
    if (p.shape.size() == 4) CHECK(p.init == Init::kaiming_uniform);
    if (p.name.find("downsample.0") != std::string::npos) names.push_back(p.name);
  }
  CHECK(names == std::vector<std::string>{"layer.0.downsample.0.weight", "layer.1.downsample.0.weight"});
}
