// Mixed kernels on the oneDNN backend against the reference, in every storage order.
#if defined(MOECNN_HAS_ONEDNN)
#include "moe/mixture_nets.hpp"
#include "moecnn/backend/default.hpp"
#include "moecnn/backend/reference.hpp"
#include "moecnn/graph/passes/mix_linear_experts.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using namespace mixture_test;
using backend::OneDnn;

namespace {

template <int In, int Out, ConvOpts O>
Graph mixed(const Choice& c, Extent images) {
  using Layer = AnyMoE<Conv<In, Out, O>>;
  Graph g = record(Bare<Layer>{mixture<Conv<In, Out, O>>(c)}, images);
  passes::mix_linear_experts(g, {}, passes::Mixing::always);
  return g;
}

/// Between convolutions all maps are stored in blocks of channels.
template <int C>
struct Between {
  static constexpr int in = 3;
  Choice choice;
  Value<5> wire(Recorder& g, Value<3> x) const {
    using Expert = Conv<C, C, ConvOpts{.kernel = 3, .pad = 1, .bias = true}>;
    const auto y = g("a", Conv<3, C, ConvOpts{.kernel = 3, .pad = 1}>{}, x);
    return g("c", Conv<C, 5>{}, g.relu(g("b", mixture<Expert>(choice), y)));
  }
};

constexpr test::ParityOpts tight{.tolerance = 2e-4};

}  // namespace

TEST_CASE("oneDNN: mixed kernels of every kind of window") {
  for (const int k : {2, 4}) {
    const Choice c{.router = top(k), .balance = balance::Importance{}};
    CHECK(test::check_graph_parity<OneDnn>(
              mixed<4, 3, ConvOpts{.kernel = 3, .stride = 2, .pad = 1, .bias = true}>(c, {5, 5, 4}), tight) == "");
    CHECK(test::check_graph_parity<OneDnn>(mixed<16, 32, ConvOpts{.kernel = {1, 3}, .pad = {0, 1}}>(c, {19, 6, 5}),
                                           tight) == "");
    CHECK(test::check_graph_parity<OneDnn>(mixed<32, 32, ConvOpts{.kernel = 3, .groups = 2}>(c, {3, 9, 8}), tight) ==
          "");
  }
  const Choice raw{.router = top(1, Weights::raw)};
  CHECK(test::check_graph_parity<OneDnn>(mixed<16, 16, ConvOpts{}>(raw, {7, 3, 3}), tight) == "");
}

TEST_CASE("oneDNN: mixed kernels between layers in blocks of channels, Winograd's form included") {
  const Choice c{.experts = 3, .router = top(2), .balance = balance::Importance{}};
  for (const Extent images : {Extent{9, 7, 6}, Extent{3, 24, 24}}) {
    for (Graph g : {record(Between<16>{c}, images), record(Between<24>{c}, images)}) {
      passes::mix_linear_experts(g, {}, passes::Mixing::always);
      CHECK(test::check_graph_parity<OneDnn>(g, {.tolerance = 1e-3}) == "");
    }
  }
}

TEST_CASE("oneDNN: mixed kernels too large for a thread's cache, rows shared by all threads") {
  const Choice c{.experts = 3, .router = top(2), .balance = balance::Importance{}};
  Graph g = record(Between<176>{c}, {3, 12, 11});
  passes::mix_linear_experts(g, {}, passes::Mixing::always);
  CHECK(test::check_graph_parity<OneDnn>(g, {.tolerance = 1e-3}) == "");
}
#endif
