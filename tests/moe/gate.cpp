#include "moecnn/moe/gate.hpp"

#include "moe/gate_net.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using mixture_test::GateNet;

namespace {

std::vector<std::string> names(const Graph& g) {
  std::vector<std::string> all;
  for (const auto& p : g.params) all.push_back(p.name);
  return all;
}

}  // namespace

TEST_CASE("gates: gradients of the logits") {
  CHECK(test::check_net(GateNet<gate::GapLinear, 4>{}, {3, 4, 3}) == "");
  CHECK(test::check_net(GateNet<gate::ReluGapLinear, 4>{}, {3, 4, 3}) == "");
  CHECK(test::check_net(GateNet<gate::ConvGapLinear, 4>{}, {3, 4, 3}) == "");
  CHECK(test::check_net(GateNet<gate::GapLinear, 1>{}, {1, 1, 1}) == "");
}

TEST_CASE("gates: parameters and shapes as in the studies") {
  using Names = std::vector<std::string>;
  const Graph gap = record(GateNet<gate::GapLinear, 4>{}, {3, 4, 3});
  CHECK(names(gap) == Names{"gate.fc.weight", "gate.fc.bias"});
  CHECK(parameter_count(gap) == 5 * 4 + 4);
  CHECK(gap.edges[gap.outputs[0]].extent == Extent{3, 1, 1});

  const Graph conv = record(GateNet<gate::ConvGapLinear, 4>{}, {3, 4, 3});
  CHECK(names(conv) == Names{"gate.conv.weight", "gate.conv.bias", "gate.fc.weight", "gate.fc.bias"});
  CHECK(parameter_count(conv) == 2304 * 5 + 256 + 256 * 4 + 4);
}

TEST_CASE("gates: the convolution of the convolutional gate reaches the logits") {
  const Graph g = record(GateNet<gate::ConvGapLinear, 3>{}, {2, 4, 4});
  test::Rig<backend::Reference<double>> rig;
  auto& program = rig.add_training(g);
  test::fill(rig.store, 1);
  const auto out = test::run(rig, program, test::random_batch(g, 1), {.training = true});
  CHECK(test::norm(out.param_grad[static_cast<std::size_t>(rig.store.find("gate.conv.weight"))]) > 1e-3);
}

TEST_CASE("gates: constant scores") {
  const Graph fixed = record(GateNet<gate::Fixed, 3>{{.expert = 2}}, {2, 4, 4});
  test::Rig<backend::Reference<double>> rig;
  auto& program = rig.add(fixed, {});
  const auto y = test::run(rig, program, test::random_batch(fixed, 1), {}, test::Backward::no).result;
  const double barred = -std::numeric_limits<double>::infinity();
  CHECK(y == std::vector<double>{barred, barred, 0, barred, barred, 0});
  CHECK_THROWS_WITH_AS(record(GateNet<gate::Fixed, 3>{{.expert = 3}}, {2, 4, 4}), "gate: there is no expert 3 among 3",
                       Error);

  const Graph uniform = record(GateNet<gate::Uniform, dynamic>{{}, 3}, {1, 4, 4});
  test::Rig<backend::Reference<double>> other;
  auto& second = other.add(uniform, {});
  CHECK(test::run(other, second, test::random_batch(uniform, 1), {}, test::Backward::no).result ==
        std::vector<double>(3, 0.0));
}
