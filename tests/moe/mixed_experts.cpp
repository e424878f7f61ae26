// Mixtures whose experts are of several types.
#include "check_layer.hpp"
#include "moecnn/layer/basic_block.hpp"
#include "moecnn/layer/linear.hpp"
#include "moecnn/model/model.hpp"
#include "moecnn/model/summary.hpp"
#include "moecnn/moe/moe.hpp"
#include "moecnn/train/non_finite.hpp"
#include "own_ops.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using namespace moecnn::test;

namespace {

constexpr ConvOpts k3{.kernel = 3, .pad = 1, .bias = true};

using Wide = Conv<4, 6, k3>;
struct Deep {
  static constexpr int in = 4, out = 6;
  Value<6> wire(Recorder& g, Value<4> x) const {
    const auto y = g.relu(g("bn", BatchNorm<4>{}, g("a", Conv<4, 4, k3>{}, x)));
    return g("b", Conv<4, 6>{}, g.dropout(g.add(y, x), 0.25));
  }
};
struct Squeeze {
  static constexpr int in = 4, out = 6;
  Value<6> wire(Recorder& g, Value<4> x) const {
    const auto s = g.hard_sigmoid(g("fc", Linear<4, 4>{}, g.global_avg_pool(x)));
    return g("out", Conv<4, 6, ConvOpts{}>{}, g.scale(x, s));
  }
};
struct Shrinks {
  static constexpr int in = 4, out = 6;
  Value<6> wire(Recorder& g, Value<4> x) const { return g("c", Conv<4, 6, ConvOpts{.kernel = 3}>{}, x); }
};
/// Casts inside an expert.
struct Exact {
  static constexpr int in = 4, out = 6;
  Value<6> wire(Recorder& g, Value<4> x) const {
    return g("b", Conv<4, 6>{}, g.custom(Rounded{}, g("a", Conv<4, 4>{}, x)));
  }
};
using Three = std::tuple<Wide, Deep, Squeeze>;
template <class Router = TopK<2>>
using Mixture = MoE<Three, 3, Router, gate::GapLinear, balance::Importance>;

struct Net {
  static constexpr int in = 3;
  Value<5> wire(Recorder& g, Value<3> x) const {
    const auto y = g("mixture", Mixture<>{}, g.relu(g("stem", Conv<3, 4, k3>{}, x)));
    return g("fc", Linear<6, 5>{}, g.global_avg_pool(y));
  }
};

/// The results of an expert for rows that it serves, alone.
template <class Expert>
struct OnlyNet {
  static constexpr int in = 4;
  Value<6> wire(Recorder& g, Value<4> x) const { return g("e", Expert{}, x); }
};

}  // namespace

TEST_CASE("gradients equal central differences; passes change nothing; no memory is read before it is written") {
  CHECK(check_layer(Mixture<>{}, {6, 4, 4}) == "");
  CHECK(check_layer(Mixture<TopK<1, RouterOpts{.weights = Weights::raw}>>{}, {6, 4, 4}) == "");
  CHECK(check_layer(Mixture<TopK<3>>{}, {4, 4, 4}) == "");
  // All rows at one expert: the others have none.
  for (const int e : {0, 1, 2}) {
    CAPTURE(e);
    const StepContext one{.training = true, .fixed_expert = e};
    CHECK(check_layer(Mixture<>{}, {6, 4, 4}, {.inference = false, .step = one}) == "");
  }
}

TEST_CASE("every expert has the parameters of its own type under its number") {
  const Graph g = record(Mixture<>{}, {6, 4, 4});
  std::vector<std::string> names;
  for (const ParamSpec& p : g.params)
    if (p.trained && p.name.starts_with("experts.")) names.push_back(p.name);
  CHECK(names == std::vector<std::string>{"experts.0.weight", "experts.0.bias", "experts.1.a.weight",
                                          "experts.1.a.bias", "experts.1.bn.weight", "experts.1.bn.bias",
                                          "experts.1.b.weight", "experts.2.fc.weight", "experts.2.fc.bias",
                                          "experts.2.out.weight"});
}

TEST_CASE("the result is the weighted sum of what each expert gives for the row") {
  Rig<backend::Reference<double>> rig, alone;
  const Graph graph = record(Mixture<>{}, {6, 4, 4});
  Program& program = rig.add(graph, {});
  fill(rig.store, 3);
  const Batch batch = random_batch(graph, 3);
  program.set_images(batch.images.data());
  program.forward({});
  const auto y = program.read(graph.outputs[0]);
  const Routing r = program.routings()[0];

  // Expert 0 is a convolution of its own.
  Program& wide = alone.add(record(OnlyNet<Wide>{}, {6, 4, 4}), {});
  for (const char* leaf : {"weight", "bias"})
    alone.store.write(alone.store.find(std::string("e.") + leaf),
                      rig.store.read(rig.store.find(std::string("experts.0.") + leaf)).data());
  wide.set_images(batch.images.data());
  wide.forward({});
  const auto y0 = wide.read(wide.graph().outputs[0]);
  Program& again = rig.programs[0].operator*();
  again.set_images(batch.images.data());
  again.forward({.fixed_expert = 0});
  CHECK(again.routings()[0].slots_of(0) == 6);
  CHECK(distance(again.read(graph.outputs[0]), y0) < 1e-12);
  CHECK(y != y0);
  CHECK(r.slots() == 12);
  CHECK(r.parts.size() == 3);
  for (int e = 0; e < 3; ++e) CHECK(r.parts[static_cast<std::size_t>(e)].slots() == r.slots_of(e));
}

TEST_CASE("sizes count an expert by the share of rows that it has in the mean; k can be changed") {
  const Graph g = record(Mixture<>{}, {6, 4, 4});
  const long long gate = 3 * 4 + 3, noise = 3 * 4;
  const long long wide = 6 * 4 * 9 + 6, deep = 4 * 4 * 9 + 4 + 8 + 6 * 4, squeeze = 4 * 4 + 4 + 6 * 4;
  CHECK(parameter_count(g) == gate + noise + wide + deep + squeeze);
  CHECK(active_parameter_count(g) <= gate + noise + (wide + deep + squeeze) * 2 / 3 + 10);
  CHECK(active_parameter_count(g) >= gate + noise + (wide + deep + squeeze) * 2 / 3 - 10);
  Graph all = g;
  passes::set_k(all, every_expert);
  CHECK(active_parameter_count(all) == parameter_count(g));
  for (const Node& n : all.nodes)
    if (n.expert >= 0) CHECK(all.output_of(n).extent.n == 6);
}

TEST_CASE("passes and checks know that an expert has rows of its own") {
  using Convs = MoE<std::tuple<Wide, Wide, Wide>, 3, TopK<2>>;
  Graph g = record(Convs{}, {6, 4, 4});
  const std::size_t nodes = g.nodes.size();
  passes::mix_linear_experts(g, {}, passes::Mixing::always);  // for experts of one type alone
  CHECK(g.nodes.size() == nodes);

  Rig<backend::Reference<float>> rig{.precision = Precision::bf16};
  const Graph recorded = record(MoE<std::tuple<Wide, Exact, Squeeze>, 3, TopK<2>>{}, {6, 4, 4});
  Program& program = rig.add_training(recorded);
  int casts = 0;
  for (const Node& n : program.graph().nodes) {
    if (!std::holds_alternative<ops::Cast>(n.op)) continue;
    CHECK(n.expert == program.graph().output_of(n).expert);
    casts += n.expert >= 0;
  }
  CHECK(casts == 1);

  fill(rig.store, 1);
  poison(rig.arena);  // rows that are not in use are no numbers
  program.set_images(random_batch(recorded, 1).images.data());
  CHECK(find_non_finite(program, rig.store, {.training = true, .fixed_expert = 1}).text == "");
}

TEST_CASE("experts that give maps of different sizes are an error that says so") {
  using Odd = MoE<std::tuple<Wide, Shrinks>, 2, TopK<2>>;
  CHECK_THROWS_WITH_AS(record(Odd{}, {6, 4, 4}),
                       "the network: the experts give maps of 6x4x4 and 6x2x2 (channels, height, width); all must give "
                       "the same",
                       Error);
  const MoE<Three, dynamic, TopK<2>> wrong{.experts = 4};
  CHECK_THROWS_WITH_AS(record(wrong, {6, 4, 4}), "the network: 3 experts are given, the router has 4", Error);
}

TEST_CASE("a model with experts of several types trains in each precision, and its summary lists each expert") {
  for (const Precision precision : {Precision::full, Precision::bf16}) {
    Model<Net, backend::Reference<float>> model({.n = 6, .h = 8, .w = 8}, {.precision = precision});
    auto& program = model.training();
    std::vector<float> images(6 * 3 * 8 * 8);
    for (std::size_t i = 0; i < images.size(); ++i) images[i] = static_cast<float>(Rng(7, Purpose::other).normal(i));
    program.set_images(images.data());
    program.set_labels(std::vector<int>{0, 1, 2, 3, 4, 0}.data());
    program.forward({.training = true});
    program.backward({.training = true});
    CHECK(std::isfinite(program.loss()));
    const std::string text = summary(model.recorded(), program);
    CHECK(text.find("mixture.experts.0 ") != std::string::npos);
    CHECK(text.find("mixture.experts.1.bn ") != std::string::npos);
    CHECK(text.find("mixture: 3 experts, 2 per image") != std::string::npos);
    auto& inference = model.inference(0, every_expert);
    inference.set_images(images.data());
    inference.forward({.equal_weights = true});
    CHECK(inference.routing("mixture").slots() == 18);
  }
}
