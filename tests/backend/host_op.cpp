// Operations of a user's own on the reference backend: gradients, experts, shared inputs, memory, precision, errors.
#include "moecnn/backend/host/host_op.hpp"

#include "check_layer.hpp"
#include "moecnn/layer/conv.hpp"
#include "moecnn/layer/linear.hpp"
#include "moecnn/moe/moe.hpp"
#include "own_ops.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using namespace moecnn::test;

namespace {

struct TwoMaps {
  static constexpr int in = 4, out = 4;
  Value<4> wire(Recorder& g, Value<4> x) const {
    return g.custom(Gated{}, x, g("conv", Conv<4, 3, ConvOpts{.kernel = 3, .pad = 1}>{}, x));
  }
};
/// One edge is two inputs.
struct OneMapTwice {
  static constexpr int in = 4, out = 4;
  Value<4> wire(Recorder& g, Value<4> x) const { return g.custom(Gated{}, x, x); }
};
struct Centre {
  static constexpr int in = 3, out = 3;
  Value<3> wire(Recorder& g, Value<3> x) const {
    return g("conv", Conv<3, 3>{}, g.custom(Centred{}, g("first", Conv<3, 3>{}, x)));
  }
};
struct Other {
  static constexpr int in = 3, out = 6;
  Value<6> wire(Recorder& g, Value<3> x) const { return g.custom<6>(Bells{}, x); }
};
/// Rows grouped by expert, and between gather and combine outside of experts.
struct InExperts {
  static constexpr int in = 4, out = 6;
  struct Expert {
    static constexpr int in = 4, out = 3;
    Value<3> wire(Recorder& g, Value<4> x) const {
      const auto y = g("gated", TwoMaps{}, x);
      return g.custom(Centred{}, g("conv", Conv<4, 3>{}, y));
    }
  };
  Value<6> wire(Recorder& g, Value<4> x) const {
    const auto r = g.route(make_policy(TopK<2>{}, balance::None{}, constraint::None{}, 4),
                           g("gate", gate::GapLinear{}, x, Experts<4>{}),
                           logits_of<4>(g("noise", Linear<4, 4, Bias::no>{}, g.global_avg_pool(x))));
    const auto slots = g.experts("experts", Expert{}, g.gather(x, r), r);
    return g.combine(g.custom<6>(Bells{}, g.custom(Centred{}, slots)), r);
  }
};

struct BrokenNet {
  static constexpr int in = 3;
  Broken op;
  Value<3> wire(Recorder& g, Value<3> x) const {
    const auto scope = g.scope("layer");
    return g.custom(op, x);
  }
};

struct Through {
  static constexpr int in = 3;
  Value<3> wire(Recorder& g, Value<3> x) const {
    return g("last", Conv<3, 3>{}, g.custom(Rounded{}, g("first", Conv<3, 3>{}, x)));
  }
};

template <class BackendType>
std::string error_of(const Graph& g, ProgramOpts opts) {
  try {
    Rig<BackendType>{}.add(g, std::move(opts));
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE(
    "gradients equal central differences; no pass drops or changes anything; no memory is read before it is written") {
  CHECK(check_layer(TwoMaps{}, {3, 4, 6}) == "");
  CHECK(check_layer(OneMapTwice{}, {3, 4, 6}) == "");
  CHECK(check_layer(Centre{}, {3, 4, 6}) == "");
  CHECK(check_layer(Other{}, {3, 4, 6}) == "");
  CHECK(check_layer(InExperts{}, {6, 4, 6}) == "");
  // Half of the slots are not in use.
  const StepContext one_expert{.training = true, .fixed_expert = 1};
  CHECK(check_layer(InExperts{}, {6, 4, 6}, {.inference = false, .step = one_expert}) == "");
}

TEST_CASE("each expert has parameters of its own and sees the rows that were routed to it") {
  Rig<backend::Reference<double>> rig;
  const Graph graph = record(InExperts{}, {6, 4, 6});
  Program& program = rig.add_training(graph);
  fill(rig.store, 1);
  const auto batch = random_batch(graph, 1);
  forward(program, batch, {.training = true});
  const Routing& r = program.routings()[0];
  int served = 0;
  for (int e = 0; e < 4; ++e) {
    const auto rows = rig.store.read(rig.store.find(formatted("experts.{}.gated.rows", e)));
    CHECK(rows.at(0) == r.slots_of(e));  // fill() leaves it at 0
    served += r.slots_of(e) > 0;
  }
  CHECK(served > 1);
}

TEST_CASE("an operation that carries no gradient stops it, and needs no backward()") {
  Rig<backend::Reference<double>> rig;
  const Graph graph = record(Through{}, {2, 3, 3});
  Program& program = rig.add_training(graph);
  CHECK_FALSE(program.flow().edge_grad[graph.input]);
  CHECK(program.flow().param_mode[1][0] == GradMode::ignore);      // first
  CHECK(program.flow().param_mode.back()[0] != GradMode::ignore);  // last
}

TEST_CASE("bf16: near the exact results, and in full precision where the operation says so") {
  const Graph graph = record(InExperts{}, {6, 4, 6});
  Rig<backend::Reference<double>> exact;
  Rig<backend::Reference<float>> low{.precision = Precision::bf16};
  auto &a = exact.add_training(graph), &b = low.add_training(graph);
  int rounded = 0;
  for (const Node& n : b.graph().nodes)
    rounded += std::holds_alternative<ops::Custom>(n.op) && b.graph().output_of(n).dtype == DType::bf16;
  CHECK(rounded == 4);
  testing::steady_seed(1, [&](std::uint64_t s) {
    fill(exact.store, s), fill(low.store, s);
    const auto batch = random_batch(graph, s);
    const StepContext step{.training = true, .seed = s};
    const auto x = run(exact, a, batch, step), y = run(low, b, batch, step);
    const double margin = std::min(testing::routing_margin(x.routings), testing::routing_margin(y.routings)) / 30;
    if (margin >= 1e-3) {
      CHECK(distance(y.result, x.result) < 0.05);
      CHECK(distance(y.result, x.result) > 1e-5);
      CHECK(distance(y.input_grad, x.input_grad) < 0.1);
    }
    return margin;
  });

  const Graph full = low.typed(record(Through{}, {2, 3, 3}));
  for (const Node& n : full.nodes)
    if (std::holds_alternative<ops::Custom>(n.op)) {
      CHECK(full.output_of(n).dtype == DType::f32);
      CHECK(full.edges[n.inputs[0]].dtype == DType::f32);
    }
}

TEST_CASE("what cannot run says so when the program is made") {
  const Graph g = record(BrokenNet{}, {2, 3, 3});
  CHECK(error_of<backend::Reference<float>>(g, {}) == "");
  CHECK(error_of<backend::Reference<double>>(g, {}) ==
        "layer: the operation broken has no kernel for the backend reference in f64; its lower() answers for which it "
        "has one");
  CHECK(error_of<backend::Reference<float>>(g, {.training = true, .input_grad = true, .seeds = g.outputs}) ==
        "layer: the operation broken has no backward(const HostRows<float>&) const; write it, or have "
        "carries_gradient() answer false");
  CHECK(error_of<backend::Reference<float>>(g, {.training = true, .seeds = g.outputs}) == "");  // nothing to hand back
}
