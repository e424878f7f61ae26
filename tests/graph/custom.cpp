#include "moecnn/graph/custom.hpp"

#include "moecnn/core/dynamic.hpp"

#include "moecnn/graph/recorder.hpp"
#include "moecnn/model/op_name.hpp"
#include "own_ops.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using namespace moecnn::test;

namespace {

struct Scaled : Broken {
  int times = 2;
  std::string name() const override { return "scaled"; }
  std::string settings() const override { return formatted("{} times", times); }
};

/// The error of wire() with an image of [2, 4, 5, 6], or its text.
template <class F>
std::string error_of(const F& wire) {
  Graph graph;
  Recorder g(graph);
  const Value<4> x{g.record(ops::Input{}, {}, 4, {2, 5, 6})};
  const auto scope = g.scope("layer");
  try {
    wire(g, x);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("an operation of one's own is a node with its shape, its parameters and its name") {
  Graph graph;
  Recorder g(graph);
  const Value<4> x{g.record(ops::Input{}, {}, 4, {2, 5, 6})};
  const auto scope = g.scope("layer");
  const Value<4> y = g.custom(Gated{}, x, x);
  const Value<8> z = g.custom<8>(Bells{}, y);
  const Value<dynamic> w = g.custom<dynamic>(Scaled{}, z);
  CHECK(g.extent(z) == Extent{2, 5, 3});
  CHECK(g.channels(w) == 8);
  REQUIRE(graph.params.size() == 2);
  CHECK(graph.params[0].name == "layer.a");
  CHECK(graph.params[0].shape == std::vector<int>{4});
  CHECK_FALSE(graph.params[1].trained);
  CHECK(graph.nodes[1].params == std::vector<int>{0, 1});
  CHECK(op_name(graph, graph.nodes[0]) == "images");
  CHECK(op_name(graph, graph.nodes[1]) == "gated");
  CHECK(op_name(graph, graph.nodes[3]) == "scaled, 2 times");
  CHECK(op_name(graph.nodes[3].op) == "custom");
  CHECK(macs_per_row(graph, graph.nodes[1]) == 4 * 5 * 6);
  CHECK(macs_per_row(graph, graph.nodes[2]) == 0);
}

TEST_CASE("a copy of a graph holds on to the operations") {
  Graph copy;
  {
    Graph graph;
    Recorder g(graph);
    const Value<4> x{g.record(ops::Input{}, {}, 4, {2, 5, 6})};
    g.custom(Scaled{}, x);
    copy = graph;
  }
  CHECK(op_name(copy, copy.nodes[1]) == "scaled, 2 times");
}

TEST_CASE("what does not fit is an error that names the layer and the operation") {
  CHECK(error_of([](Recorder& g, Value<4> x) { g.custom(Gated{}, x); }) == "layer: gated reads 2 maps, 1 are given");
  CHECK(error_of([](Recorder& g, Value<4> x) { g.custom(Gated{}, x, g.max_pool(x, {})); }) ==
        "layer: gated: maps of 5x6 and 2x3 pixels; resize one");
  CHECK(error_of([](Recorder& g, Value<4> x) { g.custom(Bells{}, x); }) ==
        "layer: the result of bells has 8 channels, 4 are expected; say g.custom<8>(…)");
  CHECK(error_of([](Recorder& g, Value<4> x) { g.custom<6>(Bells{}, x); }) ==
        "layer: the result of bells has 8 channels, 6 are expected; say g.custom<8>(…)");
  CHECK(error_of([](Recorder& g, Value<4> x) {
          Broken op;
          op.shape = {4, 0, 6};
          g.custom(op, x);
        }) ==
        "layer: the result of broken would have 4 channels of 0x6 pixels; its output() must answer at least one of "
        "each");
  CHECK(error_of([](Recorder& g, Value<4> x) {
          const auto patches = g.to_patches(x, PatchGrid::of_count({5, 6}, {5, 6}));
          g.custom(Gated{}, g.crop_or_pad(x, 1), patches);
        }) == "layer: gated reads maps of 2 and of 60 rows; all must have as many");
  CHECK(error_of([](Recorder& g, Value<4> x) {
          g.custom(Gated{}, g.custom(Gated{}, x, x), x);
          const auto half = g.slice<2>(x);
          g.custom(Gated{}, half, half);  // the same name `a` with another shape
        }) == "parameter layer.a is used twice with different shapes; give the second layer another name");
}
