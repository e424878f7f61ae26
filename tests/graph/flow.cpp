#include "moecnn/graph/flow.hpp"

#include "graph/random_graphs.hpp"

#include <doctest/doctest.h>

using namespace moecnn;

namespace {

struct Line {
  Graph graph;
  Recorder g{graph};
  Value<4> x{g.record(ops::Input{}, {}, 4, {3, 2, 2})};
  Line() { graph.input = x.edge; }
};
using Modes = std::vector<GradMode>;
constexpr GradMode ignore = GradMode::ignore, overwrite = GradMode::overwrite, accumulate = GradMode::accumulate;

}  // namespace

TEST_CASE("flow: without training nothing flows") {
  const Graph g = graph_test::random_graph(1);
  const Flow f = analyse(g, false, {g.outputs[0]}, true);
  CHECK(std::count(f.runs_backward.begin(), f.runs_backward.end(), 1) == 0);
  CHECK(std::count(f.edge_grad.begin(), f.edge_grad.end(), 1) == 0);
}

TEST_CASE("flow: the gradient stops where nothing trained lies behind it") {
  Line l;
  const auto a = l.g.relu(l.x);
  const auto b = l.g("conv", Conv<4, 4>{}, a);
  const auto c = l.g.relu(b);
  l.graph.outputs = {c.edge};
  const Flow f = analyse(l.graph, true, {c.edge});
  CHECK(f.runs_backward == std::vector<char>{0, 0, 1, 1});
  CHECK(f.input_mode[2] == Modes{ignore});  // the convolution's input: only a ReLU of the images
  CHECK(f.param_mode[2] == Modes{overwrite});
  CHECK(f.edge_grad[a.edge] == 0);
  // Asked for the gradient of the images, it goes all the way.
  const Flow all = analyse(l.graph, true, {c.edge}, true);
  CHECK(all.runs_backward == std::vector<char>{1, 1, 1, 1});
  CHECK(all.edge_grad[l.x.edge] == 1);
}

TEST_CASE("flow: the last reader starts a gradient, the others add; seeds have been started from outside") {
  Line l;
  const auto a = l.g("conv", Conv<4, 4>{}, l.x);
  const auto b = l.g.relu(a);    // node 2
  const auto c = l.g.add(a, b);  // node 3
  const auto d = l.g.add(c, c);  // node 4
  l.graph.outputs = {d.edge};
  const Flow f = analyse(l.graph, true, {d.edge, b.edge});
  CHECK(f.input_mode[4] == Modes{overwrite, accumulate});
  CHECK(f.input_mode[3] == Modes{overwrite, accumulate});  // b is a seed
  CHECK(f.input_mode[2] == Modes{accumulate});
}

TEST_CASE("flow: shared parameters are started once") {
  Line l;
  const auto a = l.g("conv", Conv<4, 4>{}, l.x), b = l.g("conv", Conv<4, 4>{}, a);
  l.graph.outputs = {b.edge};
  const Flow f = analyse(l.graph, true, {b.edge});
  CHECK(f.param_mode[2] == Modes{overwrite});
  CHECK(f.param_mode[1] == Modes{accumulate});
}

TEST_CASE("flow: a result that nobody reads costs no backward pass") {
  Line l;
  const auto a = l.g("conv", Conv<4, 4>{}, l.x);
  l.g("unread", Conv<4, 4>{}, a);
  l.graph.outputs = {a.edge};
  const Flow f = analyse(l.graph, true, {a.edge});
  CHECK(f.runs_backward == std::vector<char>{0, 1, 0});
  CHECK(f.param_mode[2] == Modes{ignore});
}

TEST_CASE("flow: running statistics have no gradient") {
  Line l;
  l.graph.outputs = {l.g("bn", BatchNorm<4>{}, l.x).edge};
  CHECK(analyse(l.graph, true, l.graph.outputs).param_mode[1] == Modes{overwrite, overwrite, ignore, ignore});
}

TEST_CASE("flow: a routing runs backward although its output has no reader, a constant gate's does not") {
  for (const bool constant : {false, true}) {
    Line l;
    const auto y = constant
                       ? l.g("mix", MoE<Conv<4, 4>, 3, TopK<2, RouterOpts{.noise = Noise::none}>, gate::Fixed>{}, l.x)
                       : l.g("mix", MoE<Conv<4, 4>, 3, TopK<2>>{}, l.x);
    l.graph.outputs = {y.edge};
    const Flow f = analyse(l.graph, true, {y.edge});
    for (std::size_t n = 0; n < l.graph.nodes.size(); ++n)
      if (std::holds_alternative<ops::Route>(l.graph.nodes[n].op)) CHECK(bool(f.runs_backward[n]) == !constant);
  }
}

TEST_CASE("flow: a gate learns even where nothing else does") {
  Line l;
  const auto scores = logits_of<3>(l.g("fc", Linear<4, 3>{}, l.g.global_avg_pool(l.x)));
  const auto r = l.g.route(
      make_policy(TopK<2, RouterOpts{.noise = Noise::none}>{}, balance::None{}, constraint::None{}, 3), scores);
  l.graph.outputs = {l.g.combine(l.g.gather(l.x, r), r).edge};  // experts without parameters, on the images themselves
  const Flow f = analyse(l.graph, true, l.graph.outputs);
  const std::size_t combine = l.graph.nodes.size() - 1, route = combine - 2, fc = route - 1;
  CHECK(f.runs_backward[combine] == 1);
  CHECK(f.input_mode[combine] == Modes{ignore});
  CHECK(f.runs_backward[route] == 1);
  CHECK(f.param_mode[fc] == Modes{overwrite, overwrite});
}

TEST_CASE("flow: frozen parameters have no gradient, nor has what only they need") {
  Line l;
  const auto a = l.g.relu(l.g("first", Conv<4, 4>{}, l.x));
  const auto b = l.g("second", Conv<4, 4, ConvOpts{.bias = true}>{}, a);
  l.graph.outputs = {b.edge};
  l.graph.params[0].frozen = true;  // first.weight
  Flow f = analyse(l.graph, true, l.graph.outputs);
  CHECK(f.runs_backward == std::vector<char>{0, 0, 0, 1});
  CHECK(f.input_mode[3] == Modes{ignore});
  CHECK(f.param_mode[3] == Modes{overwrite, overwrite});
  l.graph.params[1].frozen = true;  // second.weight
  f = analyse(l.graph, true, l.graph.outputs);
  CHECK(f.param_mode[3] == Modes{ignore, overwrite});
}

TEST_CASE("flow: one frozen expert beside others has a gradient, all of them frozen have none") {
  Line l;
  const auto y = l.g("mix", MoE<Conv<4, 4>, 3, TopK<2>>{}, l.x);
  l.graph.outputs = {y.edge};
  const auto expert = [&] {
    const Flow f = analyse(l.graph, true, l.graph.outputs);
    for (std::size_t n = 0; n < l.graph.nodes.size(); ++n)
      if (l.graph.nodes[n].experts == 3 && !l.graph.nodes[n].params.empty()) return f.param_mode[n][0];
    return accumulate;
  };
  const auto freeze = [&](std::string_view part) {
    for (ParamSpec& p : l.graph.params) p.frozen = p.frozen || p.name.find(part) != p.name.npos;
  };
  freeze("experts.0.");
  CHECK(expert() == overwrite);
  freeze("experts.");
  CHECK(expert() == ignore);
}
