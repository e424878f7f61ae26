#include "moecnn/graph/recorder.hpp"

#include "graph/random_graphs.hpp"

#include <doctest/doctest.h>

using namespace moecnn;

namespace {

struct TwoMaps {
  Graph graph;
  Recorder g{graph};
  Value<4> x{g.record(ops::Input{}, {}, 4, {3, 6, 6})};
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& p : graph.params) all.push_back(p.name);
    return all;
  }
};
using Names = std::vector<std::string>;

/// A layer with a name inside a name, and a parameter of its own.
struct Nested {
  static constexpr int in = 4, out = 4;
  Value<4> wire(Recorder& g, Value<4> x) const {
    g.param("own", {2}, Init::zeros);
    const auto scope = g.scope("inner");
    return g("conv", Conv<4, 4>{}, x);
  }
};

}  // namespace

TEST_CASE("recorder: names are the path of scopes and the leaf") {
  TwoMaps s;
  s.g("a", Nested{}, s.x);
  s.g.param("free", {1}, Init::ones);
  CHECK(s.names() == Names{"a.own", "a.inner.conv.weight", "free"});
  CHECK(s.graph.edges.back().name == "a");  // the layer's result carries the layer's name
  CHECK(s.graph.nodes.back().name == "a.inner.conv");
}

namespace {

/// Returns what it was given.
struct Nothing {
  template <int C>
  Value<C> wire(Recorder&, Value<C> x) const {
    return x;
  }
};

/// Gives its first value back, although others of its name follow.
struct FirstOfTwo {
  Value<4> wire(Recorder& g, Value<4> x) const {
    const auto first = g.relu(x);
    g.relu(first);
    return first;
  }
};

}  // namespace

TEST_CASE("recorder: a value has the name of the layer that made it and of those whose result it is") {
  TwoMaps s;
  const auto stage = s.g("layer1", ResStage<4, 4>{}, s.x);
  CHECK(s.graph.edges[stage.edge].name == "layer1");
  CHECK(s.graph.find_edge("layer1") == stage.edge);
  CHECK(s.graph.find_edge("layer1.1") == stage.edge);  // torchvision's name of the last block
  const int block = s.graph.find_edge("layer1.0");
  CHECK(block != stage.edge);
  CHECK(std::holds_alternative<ops::Relu>(s.graph.nodes[s.graph.edges[block].producer].op));
  CHECK(s.graph.consumers()[block].size() ==
        2);  // the next block's convolution and shortcut: no value inside the block

  // Layers with nothing to do.
  CHECK(s.g("up", Nothing{}, stage).edge == stage.edge);
  CHECK(s.graph.edges[stage.edge].name == "layer1");
  for (const char* name : {"layer1", "layer1.1", "up"}) CHECK(s.graph.find_edge(name) == stage.edge);
  CHECK(s.g("image", Nothing{}, s.x).edge == s.x.edge);
  CHECK(s.graph.find_edge("image") == s.x.edge);

  // Of several values with one name the last one counts, whichever way it got it.
  const auto first = s.g("two", FirstOfTwo{}, stage);
  CHECK(s.graph.find_edge("two") == first.edge);
  const auto other = s.g("up", Conv<4, 4>{}, first);
  CHECK(s.graph.find_edge("up") == other.edge);
  CHECK(s.g("up", Nothing{}, first).edge == first.edge);
  CHECK(s.graph.find_edge("up") == first.edge);
  CHECK(s.graph.find_edge("two") == first.edge);
}

TEST_CASE("recorder: one name used twice is one parameter, with other shapes it is an error") {
  TwoMaps s;
  const auto y = s.g("conv", Conv<4, 4>{}, s.x);
  s.g("conv", Conv<4, 4>{}, y);
  CHECK(s.names() == Names{"conv.weight"});
  CHECK(s.graph.nodes[1].params == s.graph.nodes[2].params);
  CHECK_THROWS_WITH_AS(s.g("conv", Conv<4, 5>{}, y),
                       "parameter conv.weight is used twice with different shapes; give the second layer another name",
                       Error);
  // Mixtures of other sizes under one name would share too few experts.
  s.g("mix", MoE<Conv<4, 4>, 3>{}, y);
  CHECK_THROWS_AS(s.g("mix", MoE<Conv<4, 4>, 5>{}, y), Error);
}

TEST_CASE("recorder: experts are wired once, their parameters exist once each") {
  TwoMaps s;
  s.g("mix", MoE<BasicBlock<4, 4>, 3>{}, s.x);
  int convolutions = 0;
  for (const Node& n : s.graph.nodes)
    if (std::holds_alternative<ops::Conv>(n.op)) {
      ++convolutions;
      CHECK(n.experts == 3);
      CHECK(n.routing == 0);
      for (int e = 0; e < 3; ++e)
        CHECK(s.graph.params[n.params[0] + e].name.find("mix.experts." + std::to_string(e) + ".conv") == 0);
    }
  CHECK(convolutions == 2);
  CHECK(s.graph.routings.size() == 1);
  CHECK(s.graph.routings[0].name == "mix");
  const Edge& result = s.graph.edges.back();
  CHECK(result.routing == -1);
  CHECK(result.extent == Extent{3, 6, 6});
}

TEST_CASE("recorder: slots are rows times k, whatever the number of experts") {
  for (const int experts : {3, 30}) {
    TwoMaps s;
    s.g("mix", mixture_test::mixture<Conv<4, 4>>({.experts = experts, .router = mixture_test::top(2)}), s.x);
    for (const Edge& e : s.graph.edges)
      if (e.routing >= 0) CHECK(e.extent.n == 6);
  }
}

TEST_CASE("recorder: the mean of a map is computed once") {
  TwoMaps s;
  const auto a = s.g.global_avg_pool(s.x), b = s.g.global_avg_pool(s.x), c = s.g.global_avg_pool(s.g.relu(s.x));
  CHECK(a.edge == b.edge);
  CHECK(a.edge != c.edge);
}

TEST_CASE("recorder: misuse is refused with the place and what to do") {
  TwoMaps s;
  const auto small = s.g.max_pool(s.x, {.kernel = 2, .stride = 2});
  CHECK_THROWS_WITH_AS(s.g.add(s.x, small), "the network: cannot add maps of 3x6x6 and 3x3x3 (rows, height, width)",
                       Error);
  CHECK_THROWS_AS(s.g.max_pool(s.x, {.kernel = 2, .stride = 1, .pad = 2}), Error);
  CHECK_THROWS_AS(s.g.max_pool(s.x, {.kernel = 7, .stride = 1}), Error);

  const TopK<2, RouterOpts{.noise = Noise::none}> router;
  const auto policy = make_policy(router, balance::None{}, constraint::None{}, 3);
  const auto scores = logits_of<3>(s.g("fc", Linear<4, 3>{}, s.g.global_avg_pool(s.x)));
  const auto r = s.g.route(policy, scores), other = s.g.route(policy, scores);
  const auto slots = s.g.gather(s.x, r);
  const auto expect = [](const auto& call, const char* words) {
    try {
      call();
      FAIL_CHECK("no error: ", words);
    } catch (const Error& e) {
      CHECK_MESSAGE(std::string(e.what()).find(words) != std::string::npos, e.what());
    }
  };
  expect([&] { s.g.gather(slots, other); }, "these rows are grouped by expert already");
  expect([&] { s.g.combine(slots, other); }, "combine needs the slots of its own routing");
  expect([&] { s.g.combine(s.x, r); }, "combine needs the slots of its own routing");
  expect([&] { s.g("conv", Conv<4, 4>{}, slots); }, "wire it inside experts()");
  expect([&] { s.g.add(slots, s.g.gather(s.x, other)); }, "cannot add rows of the batch and rows grouped by expert");
  s.g.combine(slots, r);
  expect([&] { s.g.route(make_policy(TopK<2>{}, balance::None{}, constraint::None{}, 3), scores); },
         "the network: the router adds learned noise to the logits, and route() was given none");
  expect(
      [&] { s.g.combine(slots, r); },
      "the network: the slots of the network's routing are combined already, in the network; a routing can be combined "
      "once, so join what its experts give before that (g.concat, g.add), or route the logits once more for the second "
      "value");
  {
    const auto scope = s.g.scope("twice");
    const auto third = s.g.route(policy, scores);
    const auto rows = s.g.gather(s.x, third);
    s.g.combine(rows, third);
    expect([&] { s.g.combine(rows, third); }, "twice: the slots of \"twice\" are combined already, in \"twice\"");
  }
  const auto four = make_policy(router, balance::None{}, constraint::None{}, 4);
  expect([&] { s.g.route(four, scores); }, "the gate scores 3 experts, the router has 4");
  expect([&] { s.g("nested", MoE<MoE<Conv<4, 4>, 2>, 3>{}, s.x); }, "is not supported");
}

TEST_CASE("recorder: an empty batch and empty images are refused") {
  using Net = test::Alone<Conv<4, 4>>;
  CHECK_THROWS_WITH_AS(record(Net{}, {0, 2, 2}),
                       "a batch of 0 images of 2x2 pixels is empty; every size must be at least 1", Error);
  CHECK_THROWS_AS(record(Net{}, {1, 0, 2}), Error);
  CHECK_THROWS_AS(record(Net{}, {1, 2, -3}), Error);
}

TEST_CASE("graph: edges by name, readers, counts") {
  const Graph g = record(test::Alone<BasicBlock<4, 4>>{}, {2, 5, 5});
  CHECK(g.find_edge("layer") == g.outputs[0]);
  CHECK(g.find_edge("layer.conv1") >= 0);
  CHECK(g.find_edge("nothing") == -1);
  CHECK(g.batch() == 2);
  const auto readers = g.consumers();
  CHECK(readers[g.input].size() == 2);  // the first convolution and the shortcut
  CHECK(readers[g.outputs[0]].empty());
  CHECK(parameter_count(g) == 2 * (4 * 4 * 9 + 8));
  CHECK(macs_per_image(g) == 2 * 4 * 4 * 9 * 25);
}

namespace {

struct TwoResults {
  Value<4> first;
  Value<2> second;
  std::vector<int> edges() const { return {first.edge, second.edge}; }
};
struct TwoHeads {
  static constexpr int in = 4;
  TwoResults wire(Recorder& g, Value<4> x) const {
    const auto scope = g.scope("net");
    const TwoResults two{g.named("a", g.relu(x)), g("b", Conv<4, 2>{}, x)};
    g.named("c", two.second);
    return two;
  }
};

}  // namespace

TEST_CASE("recorder: a network with several results, and values with further names") {
  const Graph g = record(TwoHeads{}, {2, 3, 3});
  REQUIRE(g.outputs.size() == 2);
  CHECK(g.edges[g.outputs[0]].channels == 4);
  CHECK(g.edges[g.outputs[1]].channels == 2);
  CHECK(g.find_edge("net.a") == g.outputs[0]);
  CHECK(g.find_edge("net.b") == g.outputs[1]);
  CHECK(g.find_edge("net.c") == g.outputs[1]);
}
