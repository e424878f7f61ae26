#include "moecnn/graph/passes/mix_linear_experts.hpp"

#include "moe/mixture_nets.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using namespace mixture_test;

namespace {

using GroupedExpert = Conv<4, 6, ConvOpts{.kernel = {3, 1}, .pad = {1, 0}, .groups = 2}>;

Graph mixed(Graph g) {
  passes::mix_linear_experts(g, {}, passes::Mixing::always);
  return g;
}

int count(const Graph& g, std::size_t op) {
  return static_cast<int>(
      std::count_if(g.nodes.begin(), g.nodes.end(), [&](const Node& n) { return n.op.index() == op; }));
}

double distance(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double d = 0;
  for (std::size_t i = 0; i < a.size(); ++i) d = std::max(d, std::abs(a[i] - b[i]));
  return d;
}

/// Largest difference between anything that two graphs over the same parameters compute.
double difference(const Graph& a, const Graph& b) {
  const auto outcome = [](const Graph& g) {
    test::Rig<backend::Reference<double>> rig;
    auto& program = rig.add_training(g);
    test::fill(rig.store, 3);
    return test::run(rig, program, test::random_batch(g, 3), {.training = true, .seed = 5});
  };
  const auto x = outcome(a), y = outcome(b);
  double d = std::max(distance(x.result, y.result), distance(x.input_grad, y.input_grad));
  for (std::size_t p = 0; p < x.param_grad.size(); ++p) d = std::max(d, distance(x.param_grad[p], y.param_grad[p]));
  return d;
}

}  // namespace

TEST_CASE("mixing kernels gives what mixing results gives, forward and backward") {
  for (const auto& router :
       {top(1, Weights::raw), top(1, Weights::straight_through), top(2), top(2, Weights::raw), top(4)}) {
    const Choice c{.router = router, .balance = balance::Importance{}};
    CAPTURE(router.k);
    const Graph g = record(Bare<AnyMoE<ConvExpert>>{mixture<ConvExpert>(c)}, {5, 5, 4});
    CHECK(difference(g, mixed(g)) < 1e-12);
    const Graph h = record(Bare<AnyMoE<GroupedExpert>>{mixture<GroupedExpert>(c)}, {5, 5, 4});
    CHECK(difference(h, mixed(h)) < 1e-12);
  }
}

TEST_CASE("mixed kernels: gradients by central differences") {
  const Choice c{.router = top(2), .balance = balance::KlDivergence{}};
  CHECK(test::check_graph(mixed(record(Bare<AnyMoE<ConvExpert>>{mixture<ConvExpert>(c)}, {5, 4, 4}))) == "");
  CHECK(test::check_graph(mixed(record(test::Twice<AnyMoE<ConvExpert>>{mixture<ConvExpert>(c)}, {5, 4, 4}))) == "");
}

TEST_CASE("only lone convolutions are mixed, and only where it pays") {
  const Choice c{.router = top(2)};
  const std::size_t mixed_conv = Op(ops::MixedConv{}).index(), gather = Op(ops::Gather{}).index();
  const Graph conv = record(Bare<AnyMoE<ConvExpert>>{mixture<ConvExpert>(c)}, {5, 4, 4});
  CHECK(count(mixed(conv), mixed_conv) == 1);
  CHECK(count(mixed(conv), gather) == 0);
  const Graph norm = record(Bare<AnyMoE<NormExpert>>{mixture<NormExpert>(c)}, {5, 8, 8});
  CHECK(count(mixed(norm), mixed_conv) == 0);
  Graph kept = conv;
  for (const Node& n : conv.nodes)  // slots in `keep` stay visible
    if (std::holds_alternative<ops::Conv>(n.op)) passes::mix_linear_experts(kept, {n.output}, passes::Mixing::always);
  CHECK(count(kept, mixed_conv) == 0);

  RoutingSpec two, one;
  two.rows = one.rows = 9, two.experts = one.experts = 8, two.k = 2, one.k = 1;
  const auto pays = [](const RoutingSpec& r, int side, Size2 kernel, int stride = 1) {
    return passes::mixing_pays(r, {9, side, side}, {.in = 16, .out = 16, .kernel = kernel, .stride = stride});
  };
  CHECK(pays(two, 12, 3));
  CHECK(!pays(two, 11, 3));
  CHECK(pays(two, 11, 3, 2));
  CHECK(pays(two, 11, {1, 3}));
  CHECK(pays(two, 6, 1));
  CHECK(!pays(two, 4, 1));
  CHECK(!pays(one, 64, 3));
}

TEST_CASE("a mixture of convolutions counts as one convolution once it is mixed") {
  const Choice c{.router = top(2, Weights::renormalised, Noise::none)};
  const Graph g = record(Bare<AnyMoE<ConvExpert>>{mixture<ConvExpert>(c)}, {5, 5, 4});
  const long long gate = 4 * 4, conv = 9 * 4 * 3 * 3 * 2;
  CHECK(macs_per_image(g) == gate + 2 * conv);
  CHECK(macs_per_image(mixed(g)) == gate + conv);
}
