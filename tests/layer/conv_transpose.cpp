#include "moecnn/layer/conv_transpose.hpp"

#include "check_layer.hpp"
#include "moecnn/layer/batch_norm.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using test::check_layer;

namespace {

using Opts = ConvTransposeOpts;

/// Halves the map and doubles it again to exactly the size that it had.
template <Opts O>
struct ThereAndBack {
  static constexpr int in = 2;
  Value<3> wire(Recorder& g, Value<2> x) const {
    return g("up", ConvTranspose<2, 3, O>{}, g.max_pool(x, {.kernel = 3, .stride = 2, .pad = 1}), g.size(x));
  }
};

struct WithNorm {
  static constexpr int in = 3;
  Value<4> wire(Recorder& g, Value<3> x) const {
    return g.relu(g("bn", BatchNorm<4>{}, g("up", ConvTranspose<3, 4, Opts{.kernel = 2, .stride = 2}>{}, x)));
  }
};

}  // namespace

TEST_CASE("conv transpose: gradients, extents and passes for every kind of window") {
  CHECK(check_layer(ConvTranspose<3, 5>{}, {2, 4, 6}) == "");
  CHECK(check_layer(ConvTranspose<4, 3, Opts{.kernel = 2, .stride = 2}>{}, {2, 3, 4}) == "");
  CHECK(check_layer(ConvTranspose<3, 4, Opts{.kernel = 3, .stride = 2, .pad = 1, .out_pad = 1, .bias = true}>{},
                    {2, 4, 3}) == "");
  CHECK(check_layer(ConvTranspose<2, 3, Opts{.kernel = 3, .pad = 1}>{}, {3, 4, 4}) == "");
  CHECK(check_layer(ConvTranspose<2, 3, Opts{.kernel = {3, 2}, .stride = {1, 3}, .dilation = {2, 1}, .bias = true}>{},
                    {2, 3, 4}) == "");
  CHECK(check_layer(ConvTranspose<4, 6, Opts{.kernel = 3, .stride = 2, .pad = 1, .groups = 2, .bias = true}>{},
                    {2, 3, 4}) == "");
  CHECK(check_layer(ConvTranspose<4, 4, Opts{.kernel = 3, .stride = 2, .groups = 4}>{}, {17, 4, 4}) == "");
  CHECK(check_layer(ConvTranspose<2, 2, Opts{.kernel = 2, .stride = 3}>{}, {2, 3, 3}) == "");  // pixels of bias alone
  CHECK(test::check_net(WithNorm{}, {3, 3, 4}) == "");
}

TEST_CASE("conv transpose: an output of the size that is asked for, odd or even") {
  constexpr Opts k3{.kernel = 3, .stride = 2, .pad = 1};
  for (const Extent images : {Extent{2, 8, 7}, Extent{2, 7, 8}, Extent{2, 5, 5}, Extent{2, 6, 6}}) {
    const ThereAndBack<k3> net;
    const Graph g = record(net, images);
    CHECK(g.edges[g.outputs[0]].extent == images);
    CHECK(test::check_graph(g) == "");
  }
  const auto up = [&](Size2 size) {
    Graph graph;
    Recorder g(graph);
    const Value<2> x{g.record(ops::Input{}, {}, 2, {1, 4, 4})};
    graph.input = x.edge;
    graph.outputs = {g("up", ConvTranspose<2, 3, k3>{}, x, size).edge};
  };
  CHECK_NOTHROW(up({7, 8}));
  CHECK_THROWS_WITH_AS(up({7, 9}),
                       "up: a transposed convolution of a map of 4x4 cannot have an output of 7x9; 7x7 is the least, "
                       "and less than a stride more",
                       Error);
  CHECK_THROWS_AS(up({6, 7}), Error);
}

TEST_CASE("conv transpose: parameters, and multiply-accumulates per pixel of the input") {
  const Graph g =
      record(test::Alone<ConvTranspose<16, 8, Opts{.kernel = 3, .stride = 2, .groups = 2, .bias = true}>>{}, {1, 5, 6});
  CHECK(g.params[0].shape == std::vector<int>{16, 4, 3, 3});
  CHECK(g.params[1].shape == std::vector<int>{8});
  CHECK(macs_per_image(g) == 16LL * 8 / 2 * 9 * 30);
}

TEST_CASE("conv transpose: first weights are uniform within 1 / sqrt(fan), as PyTorch counts it") {
  const Graph g = record(test::Alone<ConvTranspose<64, 16, Opts{.kernel = 3, .bias = true}>>{}, {1, 2, 2});
  test::Rig<backend::Reference<double>> rig;
  rig.add_training(g);
  rig.store.initialise(1);
  const double bound = 1 / std::sqrt(16.0 * 9);
  for (int i : {0, 1}) {
    double most = 0;
    for (double w : rig.store.read(i)) most = std::max(most, std::abs(w));
    CHECK(most <= bound);
    CHECK(most > 0.8 * bound);
  }
}
