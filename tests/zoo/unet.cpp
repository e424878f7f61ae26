#include "moecnn/zoo/unet.hpp"

#include "zoo/golden_runs.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using namespace zoo_test;

namespace {

constexpr Extent image{1, 128, 128};

UNet<19> with(SegMoE moe) {
  moe.on = true;
  return {.moe = moe};
}

}  // namespace

TEST_CASE("U-Net: names, their order and shapes, parameters and multiply-accumulates are the reference's") {
  const Graph g = record(UNet<19>{}, image);
  CHECK(keys(g) == reference_keys("unet"));
  CHECK(parameter_count(g) == 31'038'803);
  CHECK(parameter_count(record(UNet<20>{}, image)) == 31'038'868);
  CHECK(parameter_count(record(UNet<2>{}, image)) == 31'037'698);
  CHECK(giga_macs(g) == doctest::Approx(12.0607));
}

TEST_CASE("U-Net: logits, loss, gradients and statistics are PyTorch's, at any size") {
  CHECK(compare_with_golden("unet", [](Extent e) { return record(UNet<19>{}, e); }) == 2);
  for (const Extent e : {Extent{1, 33, 50}, Extent{2, 19, 34}, Extent{1, 16, 16}}) {
    const Graph g = record(UNet<7>{}, e);
    CHECK(g.edges[g.outputs[0]].extent == e);
  }
  CHECK_THROWS_AS(record(UNet<7>{}, {1, 15, 64}), Error);
}

TEST_CASE("U-Net: every placement") {
  const Graph plain = record(UNet<19>{}, image);
  for (const Placement p : {Placement::encoder_last, Placement::decoder_first, Placement::decoder_last})
    for (int layers = 1; layers <= 3; ++layers) {
      CAPTURE(placement_names[static_cast<std::size_t>(p)]);
      CAPTURE(layers);
      const auto& names = UNet<19>::candidates.at(p);
      const SegMoE moe{.placement = p, .layers = layers};
      check_mixtures(plain, record(with(moe), image), {names.begin(), names.begin() + layers}, 8);
    }
  CHECK(record(with({}), image).routings[0].name == "up4.conv.double_conv.3");
}
