#include "moecnn/zoo/resnet50.hpp"

#include "zoo/golden_runs.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using namespace zoo_test;

TEST_CASE("ResNet-50: keys, their order and their shapes are torchvision's; parameters and multiply-accumulates") {
  const Graph g = record(ResNet50<>{}, {1, 224, 224});
  CHECK(keys(g) == reference_keys("resnet50"));
  CHECK(parameter_count(g) == 25'557'032);
  CHECK(macs_per_image(g) == 4'089'184'256);
  CHECK(g.edges[g.find_edge("layer4")].extent == Extent{1, 7, 7});
}

TEST_CASE("ResNet-50: parameters of the stages") {
  const Graph g = record(ResNet50<>{}, {1, 32, 32});
  const auto below = [&](std::string_view prefix) {
    long long sum = 0;
    for (const auto& p : g.params)
      if (p.trained && p.name.starts_with(prefix)) sum += p.elements();
    return sum;
  };
  CHECK(below("conv1.") + below("bn1.") == 9'536);
  CHECK(below("layer1.") == 215'808);
  CHECK(below("layer2.") == 1'219'584);
  CHECK(below("layer3.") == 7'098'368);
  CHECK(below("layer4.") == 14'964'736);
}
