#include "moecnn/zoo/pspnet.hpp"

#include "zoo/golden_runs.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using namespace zoo_test;

namespace {

constexpr Extent image{1, 129, 129};

PspNet<19> with(SegMoE moe) {
  moe.on = true;
  return {.moe = moe};
}

}  // namespace

TEST_CASE("PSPNet: names, their order and shapes, parameters and multiply-accumulates are the reference's") {
  const Graph g = record(PspNet<19>{}, image), without = record(PspNet<19>{.aux = false}, image);
  auto expected = reference_keys("pspnet");
  CHECK(keys(g) == expected);
  std::erase_if(expected, [](const std::string& key) { return key.starts_with("aux."); });
  CHECK(keys(without) == expected);
  CHECK(parameter_count(g) == 49'080'038);
  CHECK(parameter_count(without) == 46'715'347);
  CHECK(giga_macs(without) == doctest::Approx(12.9791));
}

TEST_CASE("PSPNet: logits of both heads, loss, gradients and statistics are PyTorch's") {
  CHECK(compare_with_golden("pspnet", [](Extent e) { return record(PspNet<19>{}, e); }) == 2);
}

TEST_CASE("PSPNet: both heads have the size of the image, whose sides are 8 n + 1") {
  const Graph g = record(PspNet<7>{}, {2, 33, 57});
  CHECK(g.edges[g.outputs[0]].extent == Extent{2, 33, 57});
  REQUIRE(g.find_edge("aux") >= 0);
  CHECK(g.edges[g.find_edge("aux")].extent == Extent{2, 33, 57});
  CHECK(g.edges[g.find_edge("aux")].channels == 7);
  CHECK(g.edges[g.find_edge("layer4")].extent == Extent{2, 5, 8});
  CHECK_THROWS_WITH_AS(
      record(PspNet<19>{}, {1, 64, 65}),
      "PSPNet aligns the corners of its maps with those of the image, whose sides must be 8 n + 1, not "
      "64x65; crop or resize to 65x65",
      Error);
}

TEST_CASE("PSPNet: every placement") {
  const Graph plain = record(PspNet<19>{}, image);
  for (const Placement p : {Placement::encoder_last, Placement::decoder_first, Placement::decoder_last})
    for (int layers = 1; layers <= (p == Placement::encoder_last ? 3 : 2); ++layers) {
      CAPTURE(placement_names[static_cast<std::size_t>(p)]);
      CAPTURE(layers);
      const auto& names = PspNet<19>::candidates.at(p);
      const SegMoE moe{.placement = p, .layers = layers};
      check_mixtures(plain, record(with(moe), image), {names.begin(), names.begin() + layers}, 8);
    }
  CHECK_THROWS_WITH_AS(record(with({.layers = 3}), image),
                       "PSPNet has 2 convolution(s) for the placement decoder-last, not 3; choose 1 to 2", Error);
  CHECK(record(with({}), image).routings[0].name == "cls.4");
}
