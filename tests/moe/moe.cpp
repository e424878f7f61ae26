// Gradients of the whole mixture layer, for every router, balance policy, constraint, gate and kind of expert. Exact
// results of the layer are in moe_exact.cpp.
#include "moecnn/moe/moe.hpp"

#include "moe/mixture_nets.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using namespace mixture_test;
using test::Alone;
using test::check_layer;
using test::check_net;
using test::Twice;

namespace {

const std::vector<std::string> balances{"none",    "importance",     "kl",       "switch",
                                        "entropy", "column-entropy", "variance", "z-loss"};
const std::vector<std::string> constraints{"none", "relative", "mean"};
const std::vector<TopK<dynamic>> routers{top(1, Weights::raw), top(2), top(3), top(4), top(2, Weights::raw)};

}  // namespace

TEST_CASE("mixture: gradients for every router, balance policy and constraint") {
  for (const auto& router : routers)
    for (const auto& balance : balances)
      for (const auto& constraint : constraints) {
        CAPTURE(router.k);
        CAPTURE(name_of(router.weights));
        CAPTURE(balance);
        CAPTURE(constraint);
        const Choice c{
            .router = router, .balance = balance::by_name(balance, 0.5), .constraint = constraint::by_name(constraint)};
        CHECK(check_net(Alone{mixture<ConvExpert>(c)}, {5, 4, 3}, {.elements = 1}) == "");
      }
  const Choice dense{.router = top(2), .balance = balance::Importance{.weight = 0.5, .of = balance::Of::dense}};
  CHECK(check_net(Alone{mixture<ConvExpert>(dense)}, {5, 4, 3}) == "");
}

TEST_CASE("mixture: gradients for every gate and kind of expert") {
  for (const char* gate : {"gap", "conv", "relu-gap"})
    for (const char* constraint : {"none", "relative"}) {
      CAPTURE(gate);
      CAPTURE(constraint);
      const Choice c{.router = top(2),
                     .balance = balance::Importance{},
                     .constraint = constraint::by_name(constraint),
                     .gate = gate::by_name(gate)};
      CHECK(check_layer(mixture<ConvExpert>(c), {4, 4, 4}, {.elements = 1}) == "");
      CHECK(check_net(Alone{mixture<NormExpert>(c)}, {6, 6, 6}, {.elements = 1}) == "");
      CHECK(check_net(Alone{mixture<BasicBlock<4, 4>>(c)}, {5, 4, 4}, {.elements = 1}) == "");
    }
}

TEST_CASE("mixture: used twice under one name it shares experts, gate and state, and routes twice") {
  const Choice c{.router = top(2), .balance = balance::KlDivergence{}};
  CHECK(check_net(Twice{mixture<NormExpert>(c)}, {5, 6, 5}, {.elements = 1}) == "");

  const Choice hard{.router = top(2), .constraint = constraint::RelativeImportance{}};
  const Graph g = record(Twice{mixture<ConvExpert>(hard)}, {6, 3, 3});
  REQUIRE(g.states.size() == 1);
  CHECK(g.states[0].name == "layer.gate.relative_importance");
  REQUIRE(g.routings.size() == 2);
  CHECK(g.routings[0].name == "layer");
  CHECK(g.routings[1].name == "layer#2");
  CHECK(test::check_graph(g, {.elements = 1}) == "");
}

namespace {

/// One gate, two mixtures of the same rows, by their layers or by the recorder's verbs.
template <bool by_verbs>
struct OneGate {
  static constexpr int in = 4;
  Noise noise = Noise::learned;
  auto wire(Recorder& g, Value<4> x) const {
    const auto scores = g("gate", gate::GapLinear{}, x, Experts<3>{});
    const TopK<dynamic> router{.k = 2, .noise = by_verbs ? Noise::none : noise};
    if constexpr (by_verbs) {
      const auto policy = make_policy(router, balance::Importance{}, constraint::None{}, 3);
      const auto mix = [&](const char* name) {
        const auto scope = g.scope(name);
        const auto r = g.route(policy, scores);
        return g.combine(g.experts("experts", ConvExpert{}, g.gather(x, r), r), r);
      };
      const auto first = mix("first");
      return g.add(first, mix("second"));
    } else {
      const MoE<ConvExpert, 3, TopK<dynamic>, gate::Shared<3>, balance::Importance> mixture{.router = router,
                                                                                            .gate = {scores}};
      const auto first = g("first", mixture, x);
      return g.add(first, g("second", mixture, x));
    }
  }
};

}  // namespace

TEST_CASE("mixture: one gate for two mixtures") {
  CHECK(check_net(OneGate<true>{}, {5, 4, 3}, {.elements = 1}) == "");
  CHECK(check_net(OneGate<false>{}, {5, 4, 3}, {.elements = 1}) == "");
  const Graph g = record(OneGate<false>{}, {5, 4, 3});
  REQUIRE(g.routings.size() == 2);
  CHECK(g.routings[0].name == "first");
  CHECK(g.routings[1].name == "second");
  std::vector<std::string> gates;
  for (const ParamSpec& p : g.params)
    if (p.name.find("gate") != std::string::npos) gates.push_back(p.name);
  CHECK(gates == std::vector<std::string>{"gate.fc.weight", "gate.fc.bias", "first.gate.noise.weight",
                                          "second.gate.noise.weight"});

  // Without noise both route alike, and as the verbs do.
  test::Rig<backend::Reference<double>> rig_a, rig_b;
  const Graph a = record(OneGate<false>{Noise::none}, {5, 4, 3}), b = record(OneGate<true>{}, {5, 4, 3});
  auto &program_a = rig_a.add_training(a), &program_b = rig_b.add_training(b);
  test::fill(rig_a.store, 1), test::fill(rig_b.store, 1);
  const auto batch = test::random_batch(a, 1);
  const auto out_a = test::run(rig_a, program_a, batch, {.training = true});
  CHECK(test::identical(out_a, test::run(rig_b, program_b, batch, {.training = true})));
  CHECK(out_a.routings[0].slot_row == out_a.routings[1].slot_row);

  using Unwired = MoE<ConvExpert, 3, TopK<2>, gate::Shared<3>>;
  CHECK_THROWS_WITH_AS(record(Alone<Unwired>{}, {5, 4, 3}),
                       "layer.gate: the shared gate has no logits; give it those of a gate that was wired before",
                       Error);
}

TEST_CASE("mixture: a shared gate may bring its noise, and the statistics of a constraint") {
  struct SharedAll {
    constraint::Any rule;
    auto operator()(Recorder& g, Value<4> x) const {
      const bool noisy = !rule.active;
      const auto [logits, noise] = [&] {
        const auto scope = g.scope("first");
        return gate_scores<3>(g, gate::GapLinear{}, x, 3, noisy);
      }();
      const MoE<ConvExpert, 3, TopK<dynamic>, gate::Shared<3>, balance::None, constraint::Any> mixture{
          .router = {.k = 2}, .gate = {logits, noise, "first"}, .constraint = rule};
      const auto first = g("first", mixture, x);
      return g.add(first, g("second", mixture, x));
    }
  };
  const auto recorded = [](const constraint::Any& rule) {
    Graph graph;
    Recorder g(graph);
    const Value<4> x{g.record(ops::Input{}, {}, 4, {5, 4, 3})};
    graph.input = x.edge;
    graph.outputs = {SharedAll{rule}(g, x).edge};
    return graph;
  };
  const Graph soft = recorded({}), hard = recorded(constraint::RelativeImportance{.limit = 0.1});
  int noise = 0;
  for (const ParamSpec& p : soft.params) noise += p.name.find("noise") != p.name.npos;
  CHECK(noise == 1);
  CHECK(soft.params[2].name == "first.gate.noise.weight");
  REQUIRE(hard.states.size() == 1);
  CHECK(hard.states[0].name == "first.gate.relative_importance");
  CHECK(hard.routings[1].state_id == hard.routings[0].state_id);
  for (const Graph& g : {soft, hard}) CHECK(test::check_graph(g, {.elements = 1}) == "");
}

TEST_CASE("mixture: two in a row have routings, noise and states of their own") {
  struct Chain {
    Value<4> operator()(Recorder& g, Value<4> x) const {
      const Choice a{.experts = 3, .router = top(2), .balance = balance::Importance{}};
      const Choice b{.experts = 5, .router = top(3), .constraint = constraint::MeanImportance{}};
      const auto y = g("first", mixture<Conv<4, 4, ConvOpts{.kernel = 3, .pad = 1}>>(a), x);
      return g("second", mixture<Conv<4, 4>>(b), g.relu(y));
    }
  };
  const Extent images{5, 3, 4};
  Graph graph;
  Recorder g(graph);
  const Value<4> x{g.record(ops::Input{}, {}, 4, images)};
  graph.input = x.edge;
  graph.outputs = {Chain{}(g, x).edge};
  CHECK(test::check_graph(graph, {.elements = 1}) == "");
}

TEST_CASE("mixture: experts with no row, with one row, and a batch of one") {
  const Choice two{.router = top(2), .balance = balance::Importance{}};
  const Choice one{.router = top(1, Weights::raw), .balance = balance::Switch{}};
  // The bias decides: experts 2 and 3 get nothing.
  const auto idle = [](ParamStore& store) { decide_by_bias(store, {3, 2, -50, -60}); };
  for (const StepContext step : {StepContext{.training = true, .noise_off = true}, StepContext{.training = true}}) {
    CHECK(check_net(Alone{mixture<ConvExpert>(two)}, {3, 4, 4}, {.step = step, .prepare = idle}) == "");
    CHECK(check_net(Alone{mixture<NormExpert>(two)}, {3, 6, 6}, {.step = step, .prepare = idle}) == "");
    CHECK(check_net(Twice{mixture<NormExpert>(one)}, {3, 6, 6}, {.elements = 1, .step = step, .prepare = idle}) == "");
    // One row: every expert that runs has one.
    CHECK(check_net(Alone{mixture<ConvExpert>(two)}, {1, 4, 4}, {.step = step}) == "");
    CHECK(check_net(Alone{mixture<NormExpert>(two)}, {1, 6, 6}, {.step = step}) == "");
    CHECK(check_net(Alone{mixture<NormExpert>(one)}, {1, 6, 6}, {.step = step}) == "");
    CHECK(check_net(Alone{mixture<BasicBlock<4, 4>>(two)}, {1, 1, 1}, {.step = step}) == "");  // one value per channel
  }
}

TEST_CASE("mixture: one expert, and as many active as there are") {
  for (const auto& router : {top(1), top(1, Weights::raw)})
    CHECK(check_layer(mixture<ConvExpert>({.experts = 1, .router = router, .balance = balance::KlDivergence{}}),
                      {3, 4, 4}) == "");
  CHECK(check_layer(mixture<ConvExpert>({.experts = 3, .router = top(3), .balance = balance::Entropy{}}), {3, 4, 4}) ==
        "");
  CHECK(check_layer(mixture<ConvExpert>({.experts = 12, .router = top(3)}), {3, 3, 3}, {.elements = 1}) == "");
}

TEST_CASE("mixture: constant gates, their experts still learn") {
  using Fixed = MoE<ConvExpert, 3, TopK<2, RouterOpts{.noise = Noise::none}>, gate::Fixed>;
  CHECK(check_layer(Fixed{.gate = {.expert = 1}}, {3, 4, 4}) == "");
  using Uniform = MoE<ConvExpert, 3, TopK<3, RouterOpts{.noise = Noise::none}>, gate::Uniform>;
  CHECK(check_layer(Uniform{}, {3, 4, 4}) == "");
}

TEST_CASE("mixture: straight-through has the value of the expert and the gate gradient of the raw weight") {
  const Choice through{.router = top(1, Weights::straight_through, Noise::none)};
  const Choice raw{.router = top(1, Weights::raw, Noise::none)};
  // With the routing as it is, experts learn by the derivative.
  CHECK(check_net(Alone{mixture<ConvExpert>(through)}, {5, 4, 4}, {.only = "experts."}) == "");
  CHECK(check_net(Alone{mixture<NormExpert>(through)}, {5, 6, 6}, {.only = "experts."}) == "");

  const Graph a = record(Alone{mixture<ConvExpert>(through)}, {5, 4, 4}),
              b = record(Alone{mixture<ConvExpert>(raw)}, {5, 4, 4});
  test::Rig<backend::Reference<double>> rig_a, rig_b;
  auto &program_a = rig_a.add_training(a), &program_b = rig_b.add_training(b);
  test::fill(rig_a.store, 1), test::fill(rig_b.store, 1);
  const auto batch = test::random_batch(a, 1);
  const auto out_a = test::run(rig_a, program_a, batch, {.training = true});
  const auto out_b = test::run(rig_b, program_b, batch, {.training = true});
  const Routing& r = out_a.routings[0];
  const std::size_t row_size = out_a.result.size() / 5;
  for (int row = 0; row < 5; ++row) {
    const int e = static_cast<int>(std::max_element(r.scores.row(row).begin(), r.scores.row(row).end()) -
                                   r.scores.row(row).begin());
    CHECK(r.weights(row, e) == 1.0);
    // Raw: the same, times the score.
    for (std::size_t i = row * row_size; i < (row + 1) * row_size; ++i)
      CHECK(out_b.result[i] == doctest::Approx(r.scores(row, e) * out_a.result[i]).epsilon(1e-12));
  }
  for (const char* leaf : {"layer.gate.fc.weight", "layer.gate.fc.bias"}) {
    const auto id = static_cast<std::size_t>(rig_a.store.find(leaf));
    CHECK(test::norm(out_a.param_grad[id]) > 1e-3);
    CHECK(test::distance(out_a.param_grad[id], out_b.param_grad[id]) < 1e-12);
  }
}

TEST_CASE("mixture: the static form is the run-time form") {
  using Static = MoE<ConvExpert, 4, TopK<2>, gate::GapLinear, balance::Importance, constraint::None>;
  const Choice c{.router = top(2), .balance = balance::Importance{}};
  const Graph a = record(Alone<Static>{}, {5, 4, 4}), b = record(Alone{mixture<ConvExpert>(c)}, {5, 4, 4});
  test::Rig<backend::Reference<double>> rig_a, rig_b;
  auto &program_a = rig_a.add_training(a), &program_b = rig_b.add_training(b);
  test::fill(rig_a.store, 1), test::fill(rig_b.store, 1);
  const auto batch = test::random_batch(a, 1);
  CHECK(test::identical(test::run(rig_a, program_a, batch, {.training = true}),
                        test::run(rig_b, program_b, batch, {.training = true})));
}

TEST_CASE("mixture: parameters, noise weights and states by name") {
  const auto names = [](const Choice& c) {
    std::vector<std::string> all;
    const Graph g = record(Alone{mixture<Conv<4, 3>>(c)}, {2, 3, 3});
    for (const auto& p : g.params) all.push_back(p.name);
    for (const auto& s : g.states) all.push_back(s.name);
    return all;
  };
  using Names = std::vector<std::string>;
  const Choice soft{.experts = 2, .router = top(2)};
  CHECK(names(soft) == Names{"layer.gate.fc.weight", "layer.gate.fc.bias", "layer.gate.noise.weight",
                             "layer.experts.0.weight", "layer.experts.1.weight"});
  const Choice quiet{.experts = 2, .router = top(2, Weights::renormalised, Noise::none)};
  CHECK(names(quiet) ==
        Names{"layer.gate.fc.weight", "layer.gate.fc.bias", "layer.experts.0.weight", "layer.experts.1.weight"});
  const Choice hard{.experts = 2, .router = top(2), .constraint = constraint::MeanImportance{}};
  CHECK(names(hard) == Names{"layer.gate.fc.weight", "layer.gate.fc.bias", "layer.experts.0.weight",
                             "layer.experts.1.weight", "layer.gate.mean_importance", "layer.gate.steps"});
}

TEST_CASE("mixture: float agrees with double") {
  using Float = backend::Reference<float>;
  const Choice c{.router = top(2), .balance = balance::Importance{}};
  CHECK(test::check_layer_parity<Float>(mixture<ConvExpert>(c), {5, 4, 4}, {.tolerance = 1e-5}) == "");
  CHECK(test::check_layer_parity<Float>(mixture<NormExpert>(c), {8, 6, 6}, {.tolerance = 1e-3}) == "");
}
