#include "moecnn/moe/gate_unlearned.hpp"

#include "moe/gate_net.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using mixture_test::GateNet;

TEST_CASE("gates that do not learn: no parameters, and gradients of what lies before them") {
  CHECK(test::check_net(GateNet<gate::Deterministic, 4>{}, {3, 2, 3}) == "");
  CHECK(test::check_net(GateNet<gate::SingleEntry, 4>{}, {3, 2, 3}) == "");
  CHECK(test::check_net(GateNet<gate::SingleEntry, dynamic>{{}, 5}, {3, 2, 3}) == "");
  CHECK(parameter_count(record(GateNet<gate::Deterministic, 4>{}, {2, 1, 1})) == 0);
  CHECK(parameter_count(record(GateNet<gate::SingleEntry, 4>{}, {2, 1, 1})) == 0);
  CHECK(parameter_count(record(GateNet<gate::Random, 9>{}, {2, 1, 1})) == 0);
  CHECK_THROWS_WITH_AS(record(GateNet<gate::SingleEntry, 6>{}, {3, 2, 3}),
                       "gate: a single-entry gate reads one channel per expert; 5 channels are too few for 6", Error);
}

TEST_CASE("the single-entry gate reads means of the first channels") {
  const Graph g = record(GateNet<gate::SingleEntry, 3>{}, {1, 1, 2});
  test::Rig<backend::Reference<double>> rig;
  auto& program = rig.add(g, {});
  const std::vector<double> images{1, 3, 5, 5, 0, 1, 9, 9, 9, 9};
  program.set_images(images.data());
  program.forward({});
  CHECK(program.read(g.outputs[0]) == std::vector{2., 5., .5});
}

TEST_CASE("random scores are new in every step and repeatable") {
  const Graph g = record(GateNet<gate::Random, 4>{}, {3, 1, 1});
  test::Rig<backend::Reference<double>> rig;
  auto& program = rig.add(g, {});
  const std::vector<double> images(15, 1.0);
  const auto run = [&](std::uint64_t step) {
    program.set_images(images.data());
    program.forward({.seed = 1, .step = step});
    return program.read(g.outputs[0]);
  };
  const auto a = run(1), b = run(2);
  CHECK(a != b);
  CHECK(a == run(1));
  CHECK(a[0] != a[4]);  // rows differ
}

TEST_CASE("the deterministic gate's vectors are normal numbers that do not learn") {
  const Graph g = record(GateNet<gate::Deterministic, 16, 64>{}, {2, 3, 3});
  test::Rig<backend::Reference<double>> rig;
  rig.add_training(g);
  rig.store.initialise(1);
  const int id = rig.store.find("gate.weight");
  REQUIRE(id >= 0);
  double sum = 0, squares = 0;
  for (double w : rig.store.read(id)) sum += w, squares += w * w;
  CHECK(std::abs(sum / 1024) < .1);
  CHECK(std::abs(squares / 1024 - 1) < .15);
  CHECK(!rig.store.spec(id).trained);
}
