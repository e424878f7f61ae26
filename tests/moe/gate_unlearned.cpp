#include "moecnn/moe/gate_unlearned.hpp"

#include "moe/gate_net.hpp"
#include "moecnn/model/model.hpp"
#include "moecnn/moe/gate_any.hpp"
#include "moecnn/moe/moe.hpp"

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

namespace {

template <Weights W>
using RandomMix = MoE<Conv<3, 3>, 5, TopK<2, RouterOpts{.weights = W, .noise = Noise::none}>, gate::Random>;

struct RandomNet {
  static constexpr int in = 3;
  Value<3> wire(Recorder& g, Value<3> x) const {
    return g("raw", RandomMix<Weights::raw>{}, g("mix", RandomMix<Weights::renormalised>{}, x));
  }
};

template <class Backend>
void check_equal_weights() {
  Model<RandomNet, Backend> model({40, 2, 2});
  const auto batch = test::random_batch(model.training().graph(), 1);
  const auto check = [&](Program& program, const StepContext& step, int k) {
    program.set_images(batch.images.data());
    testing::set_targets(program, batch);
    program.forward(step);
    for (const char* name : {"mix", "raw"}) {
      const Routing& r = program.routing(name);
      CHECK(r.slots() == 40 * k);
      for (double w : r.slot_weight) CHECK(w == (name == std::string("raw") ? 1.0 / 5 : 1.0 / k));
      for (int load : r.load) CHECK(load > 0);
    }
    return program.routing("mix").slot_row;
  };
  const auto first = check(model.training(), {.training = true, .seed = 1, .step = 1}, 2);
  CHECK(check(model.training(), {.training = true, .seed = 1, .step = 2}, 2) != first);
  CHECK(check(model.inference(), {.seed = 1, .step = 1}, 2) == first);
  check(model.inference(0, 3), {.seed = 1}, 3);
}

}  // namespace

TEST_CASE("the experts that the random gate chooses have the same weight, to the last bit") {
  check_equal_weights<backend::Reference<double>>();
  check_equal_weights<backend::Reference<float>>();
}

TEST_CASE("the random gate refuses learned noise, which would decide in its place") {
  using Noisy = MoE<Conv<5, 3>, 4, TopK<2>, gate::Random>;
  const std::string words =
      "layer.gate: the logits of this gate are random already, and learned noise would decide instead of them; choose "
      "a "
      "router with Noise::none";
  const auto message = [](const auto& layer) -> std::string {
    try {
      record(test::Alone{layer}, {2, 3, 3});
      return "no error";
    } catch (const Error& e) {
      return e.what();
    }
  };
  CHECK(message(Noisy{}) == words);
  using AnyNoisy = MoE<Conv<5, 3>, 4, TopK<2>, gate::Any>;
  CHECK(message(AnyNoisy{.gate = gate::by_name("random")}) == words);
  CHECK(message(AnyNoisy{.gate = gate::by_name("gap")}) == "no error");
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
