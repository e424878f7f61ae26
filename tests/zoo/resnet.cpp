#include "moecnn/zoo/resnet.hpp"

#include "zoo/golden_runs.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using zoo_test::keys;
using zoo_test::reference_keys;

TEST_CASE("ResNet-18: keys, their order and their shapes are torchvision's") {
  const auto expected = reference_keys("resnet18");
  REQUIRE(expected.size() == 102);
  CHECK(keys(record(ResNet18<>{}, {1, 64, 64})) == expected);
}

TEST_CASE("ResNet-18 for small images: the same keys, with its own stem and classes") {
  auto expected = reference_keys("resnet18");
  expected[0] = "conv1.weight 64 3 3 3";
  expected[100] = "fc.weight 100 512";
  expected[101] = "fc.bias 100";
  CHECK(keys(record(CifarResNet18<100>{}, {1, 32, 32})) == expected);
}

TEST_CASE("ResNet-18: parameters and multiply-accumulates") {
  const Graph imagenet = record(ResNet18<>{}, {2, 224, 224});
  CHECK(parameter_count(imagenet) == 11'689'512);
  CHECK(macs_per_image(imagenet) == 1'814'073'344);
  CHECK(imagenet.edges[imagenet.outputs[0]].extent == Extent{2, 1, 1});
  CHECK(imagenet.edges[imagenet.find_edge("layer1")].extent == Extent{2, 56, 56});
  CHECK(imagenet.edges[imagenet.find_edge("layer4")].extent == Extent{2, 7, 7});

  const Graph cifar = record(CifarResNet18<100>{}, {2, 32, 32});
  CHECK(parameter_count(cifar) == 11'220'132);
  CHECK(macs_per_image(cifar) == 555'468'800);
  CHECK(cifar.edges[cifar.find_edge("layer1")].extent == Extent{2, 32, 32});
  CHECK(cifar.edges[cifar.find_edge("layer4")].extent == Extent{2, 4, 4});
}

TEST_CASE("ResNet-18: images too small for the stem are refused") {
  CHECK_THROWS_AS(record(ResNet18<>{}, {0, 64, 64}), Error);
  CHECK(record(ResNet18<>{}, {1, 1, 1}).edges.back().extent == Extent{1, 1, 1});
}
