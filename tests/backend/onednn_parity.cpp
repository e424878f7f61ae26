// Every layer, mixtures and random networks on the oneDNN backend against the reference in double.
#if defined(MOECNN_HAS_ONEDNN)
#include "graph/random_graphs.hpp"
#include "moecnn/layer/linear.hpp"
#include "moecnn/model/shared_kernels.hpp"
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
