#include "moecnn/moe/gate_conv.hpp"

#include "moe/gate_net.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using mixture_test::GateNet;

namespace {

template <class Gate>
Graph gate_of(Extent rows) {
  return record(GateNet<Gate, 4>{}, rows);
}

}  // namespace

TEST_CASE("convolutional gates: gradients of the logits") {
  CHECK(test::check_net(GateNet<gate::ConvGap, 4>{}, {3, 4, 3}) == "");
  CHECK(test::check_net(GateNet<gate::DoubleConvGap, 4>{}, {3, 6, 5}) == "");
  CHECK(test::check_net(GateNet<gate::TripleConvGapOf<3>, 4>{}, {2, 8, 7}) == "");
  CHECK(test::check_net(GateNet<gate::DoubleConvGap, dynamic>{{}, 3}, {2, 5, 6}) == "");
}

TEST_CASE("convolutional gates: parameters as in the study") {
  constexpr int C = 5, N = 4;
  CHECK(parameter_count(gate_of<gate::ConvGap>({2, 6, 6})) == 9 * C * N);
  CHECK(parameter_count(gate_of<gate::DoubleConvGap>({2, 6, 6})) == 72 * C + 16 + 72 * N);
  CHECK(parameter_count(gate_of<gate::TripleConvGap>({2, 8, 8})) == 72 * C + 16 + 576 + 16 + 72 * N);
  // DeepLabv3+'s and ENet's overheads in the paper fit these numbers.
  CHECK(parameter_count(record(GateNet<gate::DoubleConvGap, 8, 256>{}, {2, 6, 6})) == 19024);
  CHECK(parameter_count(record(GateNet<gate::DoubleConvGap, 8, 4>{}, {2, 6, 6})) == 880);
}

TEST_CASE("convolutional gates: rows that are too small are refused") {
  CHECK_NOTHROW(gate_of<gate::DoubleConvGap>({1, 5, 5}));
  CHECK_THROWS_WITH_AS(gate_of<gate::DoubleConvGap>({1, 5, 4}),
                       "gate: a gate of 2 convolution(s) without padding needs rows of at least 5 × 5 pixels and gets "
                       "5 × 4; choose a coarser grid or a gate with fewer convolutions",
                       Error);
}
