#include "moecnn/zoo/erfnet.hpp"

#include "zoo/golden_runs.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using namespace zoo_test;

namespace {

constexpr Extent image{1, 256, 256};

ERFNet<19> with(SegMoE moe) {
  moe.on = true;
  return {.moe = moe};
}

}  // namespace

TEST_CASE("ERFNet: names, their order and shapes, parameters and multiply-accumulates are the reference's") {
  const Graph g = record(ERFNet<19>{}, image);
  CHECK(keys(g) == reference_keys("erfnet"));
  CHECK(parameter_count(g) == 2'066'642);
  CHECK(parameter_count(record(ERFNet<20>{}, image)) == 2'066'836);
  CHECK(giga_macs(g) == doctest::Approx(3.3255));
}

TEST_CASE("ERFNet: logits, loss, gradients and statistics are PyTorch's") {
  CHECK(compare_with_golden("erfnet", [](Extent e) { return record(ERFNet<19>{}, e); }) == 1);
}

TEST_CASE("ERFNet: images whose sides are no multiples of 8 are refused, as the reference fails on them") {
  CHECK_THROWS_WITH_AS(record(ERFNet<19>{}, {1, 64, 60}),
                       "encoder.layers.6: ERFNet halves maps whose sides are even, this one has 16x15 pixels; give it "
                       "images whose sides are multiples of 8",
                       Error);
}

TEST_CASE("ERFNet: every placement, with one expert the plain network") {
  const Extent small{1, 48, 64};
  const Graph plain = record(ERFNet<19>{}, small);
  for (const Placement p : {Placement::encoder_last, Placement::decoder_first, Placement::decoder_last})
    for (int layers = 1; layers <= 3; ++layers) {
      CAPTURE(placement_names[static_cast<std::size_t>(p)]);
      CAPTURE(layers);
      const auto& names = ERFNet<19>::candidates.at(p);
      SegMoE moe{.placement = p, .layers = layers, .patches = {.grid = 2}, .gate = gate::by_name("gap")};
      check_mixtures(plain, record(with(moe), small), {names.begin(), names.begin() + layers}, 8);
      moe.experts = moe.router.k = 1;
      CHECK(distance_of_results(record(with(moe), small), plain) < 1e-12);
    }
}

TEST_CASE("ERFNet: the halo of a 1x3 convolution lies along the width") {
  const Graph g = record(with({}), image);
  CHECK(g.routings[0].name == "decoder.layers.5.conv1x3_2");
  CHECK(parameter_count(g) - 2'066'642 == 7 * (16 * 16 * 3 + 16) + 72 * 16 + 16 + 72 * 8);
  for (const Node& n : g.nodes)
    if (const auto* patches = std::get_if<ops::ToPatches>(&n.op)) CHECK(patches->grid.halo == Size2(0, 1));
}
