#include "moecnn/zoo/enet.hpp"

#include "zoo/golden_runs.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using namespace zoo_test;

namespace {

constexpr Extent image{1, 256, 256};

ENet<19> with(SegMoE moe) {
  moe.on = true;
  return {.moe = moe};
}

}  // namespace

TEST_CASE("ENet: names, their order and shapes, parameters and multiply-accumulates are the reference's") {
  const Graph g = record(ENet<19>{}, image);
  CHECK(keys(g) == reference_keys("enet"));
  CHECK(parameter_count(g) == 351'660);
  CHECK(parameter_count(record(ENet<20>{}, image)) == 351'804);
  CHECK(parameter_count(record(ENet<11>{}, image)) == 350'508);
  CHECK(giga_macs(g) == doctest::Approx(0.5047));
}

TEST_CASE("ENet: logits, loss, gradients and statistics are PyTorch's, at any size") {
  CHECK(compare_with_golden("enet", [](Extent e) { return record(ENet<19>{}, e); }) == 2);
  for (const Extent e : {Extent{1, 33, 50}, Extent{2, 19, 34}, Extent{1, 8, 8}}) {
    const Graph g = record(ENet<7>{}, e);
    CHECK(g.edges[g.outputs[0]].extent == e);
  }
}

TEST_CASE("ENet: a mixture in the last bottleneck adds 0.54 % of parameters, of which 0.29 % are active") {
  const Graph g = record(with({}), image);
  CHECK(parameter_count(g) - 351'660 == 1'888);
  CHECK(g.routings[0].name == "regular5_1.ext_conv2.0");
  CHECK(g.routings[0].rows == 9);
}

TEST_CASE("ENet: every placement, with one expert the plain network") {
  const Extent small{1, 64, 96};
  const Graph plain = record(ENet<19>{}, small);
  for (const Placement p : {Placement::encoder_last, Placement::decoder_first, Placement::decoder_last})
    for (int layers = 1; layers <= 3; ++layers) {
      CAPTURE(placement_names[static_cast<std::size_t>(p)]);
      CAPTURE(layers);
      const auto& names = ENet<19>::candidates.at(p);
      SegMoE moe{.placement = p, .layers = layers, .patches = {.grid = 2}, .gate = gate::by_name("gap")};
      check_mixtures(plain, record(with(moe), small), {names.begin(), names.begin() + layers}, 8);
      moe.experts = moe.router.k = 1;
      CHECK(distance_of_results(record(with(moe), small), plain) < 1e-12);
    }
}

TEST_CASE("segmentation mixtures: choices that cannot be are refused with what can be") {
  CHECK_THROWS_WITH_AS(record(with({.layers = 4}), image),
                       "ENet has 3 convolution(s) for the placement decoder-last, not 4; choose 1 to 3", Error);
  CHECK_THROWS_AS(record(with({.layers = 0}), image), Error);
  CHECK_THROWS_AS(record(with({.patches = {.grid = 64}}), image), Error);  // the gate has no room
  CHECK(placement_by_name("decoder-first") == Placement::decoder_first);
  CHECK_THROWS_WITH_AS(placement_by_name("last"),
                       "no placement is called \"last\"; choose encoder-last, decoder-first or decoder-last", Error);
}

TEST_CASE("segmentation mixtures: shared expert, skip, sizes, other gates and a scope around the network") {
  const long long plain = parameter_count(record(ENet<19>{}, image));
  CHECK(parameter_count(record(with({.beside = Beside::shared}), image)) == plain + 1'888 + 144);
  CHECK(parameter_count(record(with({.beside = Beside::input}), image)) == plain + 1'888);
  CHECK(record(with({.patches = {.size = {64, 32}}}), image).routings[0].rows == 2 * 4);
  SegMoE gap{.experts = 4};
  gap.gate = gate::by_name("gap");
  CHECK(parameter_count(record(with(gap), image)) == plain + 3 * 144 + 4 * 4 + 4);

  Graph g;
  Recorder r(g);
  const Value<3> x{r.record(ops::Input{}, {}, 3, image)};
  const auto scope = r.scope("student");
  with({}).wire(r, x);
  REQUIRE(g.routings.size() == 1);
  CHECK(g.routings[0].name == "student.regular5_1.ext_conv2.0");
}
