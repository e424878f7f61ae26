#include "moecnn/zoo/mobilenet_v3.hpp"

#include "zoo/golden_runs.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using namespace zoo_test;

TEST_CASE("MobileNetV3: keys, their order and their shapes are torchvision's; parameters and multiply-accumulates") {
  const Graph g = record(MobileNetV3Large<>{}, {1, 224, 224});
  CHECK(keys(g) == reference_keys("mobilenet_v3_large"));
  CHECK(parameter_count(g) == 5'483'032);
  CHECK(macs_per_image(g) == 216'589'760);
  CHECK(g.edges[g.find_edge("features.16")].extent == Extent{1, 7, 7});
}

TEST_CASE("MobileNetV3: widths of squeezing") {
  CHECK(mobilenet::round_to_eight(72 / 4) == 24);
  CHECK(mobilenet::round_to_eight(120 / 4) == 32);
  CHECK(mobilenet::round_to_eight(480 / 4) == 120);
  CHECK(mobilenet::round_to_eight(672 / 4) == 168);
  CHECK(mobilenet::round_to_eight(3) == 8);
}
