#include "moecnn/zoo/lraspp.hpp"

#include "zoo/golden_runs.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using namespace zoo_test;

namespace {

constexpr Extent image{1, 256, 256};

LrAspp<19> with(SegMoE moe) {
  moe.on = true;
  return {.moe = moe};
}

}  // namespace

TEST_CASE("LR-ASPP: names, their order and shapes, parameters and multiply-accumulates are torchvision's") {
  const Graph g = record(LrAspp<19>{}, image);
  CHECK(keys(g) == reference_keys("lraspp"));
  CHECK(parameter_count(g) == 3'221'198);
  CHECK(parameter_count(record(LrAspp<20>{}, image)) == 3'221'368);
  CHECK(parameter_count(record(LrAspp<21>{}, image)) == 3'221'538);
  CHECK(giga_macs(g) == doctest::Approx(0.4945));
}

TEST_CASE("LR-ASPP: the backbone's names are those of MobileNetV3, without the classifier") {
  std::vector<std::string> expected;
  for (const auto& key : reference_keys("mobilenet_v3_large"))
    if (key.starts_with("features.")) expected.push_back("backbone." + key.substr(9));
  auto ours = keys(record(LrAspp<19>{}, image));
  ours.resize(expected.size());
  CHECK(ours == expected);
}

TEST_CASE("LR-ASPP: logits, loss, gradients and statistics are PyTorch's, at any size") {
  CHECK(compare_with_golden("lraspp", [](Extent e) { return record(LrAspp<19>{}, e); }) == 2);
  for (const Extent e : {Extent{1, 33, 50}, Extent{2, 70, 34}, Extent{1, 1, 1}}) {
    const Graph g = record(LrAspp<7>{}, e);
    CHECK(g.edges[g.outputs[0]].extent == e);
  }
}

TEST_CASE("LR-ASPP: every placement, with one expert the plain network") {
  const Extent small{1, 96, 128};
  const Graph plain = record(LrAspp<19>{}, small);
  for (const Placement p : {Placement::encoder_last, Placement::decoder_first, Placement::decoder_last})
    for (int layers = 1; layers <= 3; ++layers) {
      CAPTURE(placement_names[static_cast<std::size_t>(p)]);
      CAPTURE(layers);
      const auto& names = LrAspp<19>::candidates.at(p);
      SegMoE moe{.placement = p, .layers = layers, .patches = {.grid = 2}, .gate = gate::by_name("gap")};
      check_mixtures(plain, record(with(moe), small), {names.begin(), names.begin() + layers}, 8);
      moe.experts = moe.router.k = 1;
      CHECK(distance_of_results(record(with(moe), small), plain) < 1e-12);
    }
}

TEST_CASE("LR-ASPP: a 1x1 convolution has no halo, and its gate says how large patches must be") {
  CHECK(parameter_count(record(with({}), image)) - 3'221'198 == 7 * (128 * 19 + 19) + 72 * 128 + 16 + 72 * 8);
  const Extent small{1, 96, 96};
  CHECK_THROWS_WITH_AS(record(with({}), small),
                       "classifier.high_classifier.gate: a gate of 2 convolution(s) without padding needs rows of at "
                       "least 5 × 5 pixels and gets 4 × 4; choose a coarser grid or a gate with fewer convolutions",
                       Error);
  CHECK(record(with({.patches = {.grid = 2}}), small).routings[0].rows == 4);
}
