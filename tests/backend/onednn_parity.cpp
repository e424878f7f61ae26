// Every layer, mixtures and random networks on the oneDNN backend against the reference in double.
#if defined(MOECNN_HAS_ONEDNN)
#include "graph/random_graphs.hpp"
#include "moecnn/backend/default.hpp"
#include "moecnn/backend/reference.hpp"
#include "moecnn/layer/linear.hpp"
#include "moecnn/moe/res_block_moe.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using namespace mixture_test;
using backend::OneDnn;
using test::check_layer_parity;

namespace {
constexpr test::ParityOpts tight{.tolerance = 2e-4};
}

TEST_CASE("oneDNN: convolutions of every kind of window") {
  CHECK(check_layer_parity<OneDnn>(Conv<3, 5>{}, {2, 4, 6}, tight) == "");
  CHECK(check_layer_parity<OneDnn>(Conv<16, 32, ConvOpts{.kernel = 3, .pad = 1}>{}, {3, 6, 5}, tight) == "");
  CHECK(check_layer_parity<OneDnn>(Conv<2, 3, ConvOpts{.kernel = 3, .stride = 2, .pad = 1, .bias = true}>{}, {2, 7, 6},
                                   tight) == "");
  CHECK(check_layer_parity<OneDnn>(Conv<17, 33, ConvOpts{.kernel = 3, .bias = true}>{}, {2, 5, 7}, tight) == "");
  CHECK(check_layer_parity<OneDnn>(Conv<2, 4, ConvOpts{.kernel = {5, 1}, .pad = {2, 0}}>{}, {2, 7, 3}, tight) == "");
  CHECK(check_layer_parity<OneDnn>(Conv<2, 3, ConvOpts{.kernel = 3, .pad = 2, .dilation = 2}>{}, {2, 6, 8}, tight) ==
        "");
  CHECK(check_layer_parity<OneDnn>(Conv<4, 6, ConvOpts{.kernel = 3, .pad = 1, .groups = 2, .bias = true}>{}, {2, 5, 4},
                                   tight) == "");
  CHECK(check_layer_parity<OneDnn>(Conv<4, 4, ConvOpts{.kernel = 3, .stride = 2, .pad = 1, .groups = 4}>{}, {3, 6, 6},
                                   tight) == "");
}

TEST_CASE("oneDNN: norms, linear layers, blocks") {
  CHECK(check_layer_parity<OneDnn>(BatchNorm<5>{}, {5, 3, 2}, tight) == "");
  CHECK(check_layer_parity<OneDnn>(BatchNorm<32>{}, {6, 4, 4}, tight) == "");
  CHECK(check_layer_parity<OneDnn>(Linear<5, 3>{}, {4, 1, 1}, tight) == "");
  CHECK(check_layer_parity<OneDnn>(BasicBlock<8, 8>{}, {3, 5, 4}, tight) == "");
  CHECK(check_layer_parity<OneDnn>(ResStage<16, 32>{}, {3, 6, 6}, tight) == "");
}

namespace {
/// Norms, curves and slopes in a row, each read by a convolution or by the next, and experts with norms of their own.
struct Remade {
  static constexpr int in = 3;
  Value<20> wire(Recorder& g, Value<3> x) const {
    constexpr ConvOpts k3{.kernel = 3, .pad = 1};
    const auto a = g.relu(g("bn1", BatchNorm<20>{}, g("conv1", Conv<3, 20, k3>{}, x)));
    const auto b =
        g("bent", PRelu<20, Slopes::per_channel>{}, g("bn2", BatchNorm<20>{}, g("conv2", Conv<20, 20>{}, a)));
    const auto c = g.hard_swish(g("bn3", BatchNorm<20>{}, g("conv3", Conv<20, 20, k3>{}, b)));
    const auto d = g("experts", ResBlockMoE<NarrowBlocks<20, 12, 20>, 3, TopK<2>>{}, c);
    return g("conv5", Conv<20, 20>{}, g.add(g("conv4", Conv<20, 20>{}, c), d));
  }
};
}  // namespace

TEST_CASE("oneDNN: what is made again for the backward pass has the same bits, and keeping it takes more memory") {
  Graph g = record(Remade{}, {9, 8, 8});
  passes::fuse_norm_activation(g);
  test::Rig<OneDnn> rig;
  ProgramOpts opts{.training = true, .input_grad = true, .seeds = g.outputs, .rebuild = Rebuild::always};
  auto& again = rig.add(g, opts);
  opts.rebuild = Rebuild::never;
  auto& kept = rig.add(g, opts);
  CHECK(again.plan().total_bytes == kept.plan().total_bytes);
  CHECK(again.plan().arena_bytes < kept.plan().arena_bytes);
  test::fill(rig.store, 5);
  const auto batch = test::random_batch(g, 5);
  const StepContext step{.training = true, .seed = 3};
  CHECK(test::identical(test::run(rig, again, batch, step), test::run(rig, kept, batch, step)));
}

TEST_CASE("oneDNN: mixtures") {
  for (const auto& router : {top(2), top(1, Weights::raw), top(1, Weights::straight_through), top(4)}) {
    CAPTURE(router.k);
    const Choice c{.router = router, .balance = balance::Importance{}};
    CHECK(check_layer_parity<OneDnn>(mixture<ConvExpert>(c), {5, 4, 4}, tight) == "");
    CHECK(check_layer_parity<OneDnn>(mixture<NormExpert>(c), {9, 8, 8}, {.tolerance = 2e-3}) == "");
  }
  const Choice hard{.router = top(2), .constraint = constraint::RelativeImportance{}};
  CHECK(check_layer_parity<OneDnn>(mixture<ConvExpert>(hard), {5, 4, 4}, tight) == "");
  using Half = ResBlockMoE<NarrowBlocks<16, 12, 32>, 3, TopK<2>>;
  CHECK(check_layer_parity<OneDnn>(Half{}, {9, 8, 8}, {.tolerance = 2e-3}) == "");
}

// Norms over few values magnify what differs in the last digits, so this finds wrong code rather than wrong digits.
TEST_CASE("oneDNN: random networks") {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    CAPTURE(seed);
    CHECK(test::check_graph_parity<OneDnn>(graph_test::random_graph(seed, 8), {.tolerance = 1e-2}) == "");
  }
}
#endif
