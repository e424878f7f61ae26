#include "moecnn/moe/gate_any.hpp"

#include "moe/gate_net.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using mixture_test::GateNet;

TEST_CASE("gates: the run-time choice and a run-time number of experts give the same graphs") {
  const auto same = [](const Graph& a, const Graph& b) {
    REQUIRE(a.nodes.size() == b.nodes.size());
    for (std::size_t i = 0; i < a.nodes.size(); ++i) CHECK(a.nodes[i].op.index() == b.nodes[i].op.index());
    REQUIRE(a.params.size() == b.params.size());
    for (std::size_t i = 0; i < a.params.size(); ++i) {
      CHECK(a.params[i].name == b.params[i].name);
      CHECK(a.params[i].shape == b.params[i].shape);
    }
  };
  const Extent images{2, 3, 3};
  same(record(GateNet<gate::Any, dynamic>{gate::by_name("gap"), 4}, images),
       record(GateNet<gate::GapLinear, 4>{}, images));
  same(record(GateNet<gate::Any, dynamic>{gate::by_name("conv"), 4}, images),
       record(GateNet<gate::ConvGapLinear, 4>{}, images));
  same(record(GateNet<gate::Any, 4>{gate::by_name("relu-gap")}, images),
       record(GateNet<gate::ReluGapLinear, 4>{}, images));
  const Extent large{2, 8, 8};
  same(record(GateNet<gate::Any, dynamic>{gate::by_name("conv-gap"), 4}, large),
       record(GateNet<gate::ConvGap, 4>{}, large));
  same(record(GateNet<gate::Any, dynamic>{gate::by_name("2conv-gap"), 4}, large),
       record(GateNet<gate::DoubleConvGap, 4>{}, large));
  same(record(GateNet<gate::Any, dynamic>{gate::by_name("3conv-gap"), 4}, large),
       record(GateNet<gate::TripleConvGap, 4>{}, large));
  same(record(GateNet<gate::Any, dynamic>{gate::by_name("deterministic"), 4}, large),
       record(GateNet<gate::Deterministic, 4>{}, large));
  same(record(GateNet<gate::Any, dynamic>{gate::by_name("single-entry"), 4}, large),
       record(GateNet<gate::SingleEntry, 4>{}, large));
  same(record(GateNet<gate::Any, dynamic>{gate::by_name("random"), 4}, large),
       record(GateNet<gate::Random, 4>{}, large));
  CHECK_THROWS_WITH_AS(gate::by_name("cnn"),
                       "no gate is called \"cnn\"; choose one of gap, conv, relu-gap, conv-gap, 2conv-gap, 3conv-gap, "
                       "deterministic, single-entry, random",
                       Error);
}
