// Convolutions with wide dilations on the oneDNN backend, whose maps are split into phases: values and all gradients are
// the reference's, whatever lies around them.
#if MOECNN_HAS_ONEDNN
#include "graph/random_graphs.hpp"
#include "moecnn/graph/passes/mix_linear_experts.hpp"
#include "moecnn/moe/patch_moe.hpp"
#include "onednn_compare.hpp"

using namespace moecnn;
using namespace onednn_test;
using backend::OneDnn;

namespace {

constexpr ConvOpts both(int d) { return {.kernel = 3, .pad = d, .dilation = d}; }
constexpr ConvOpts wide(int d) { return {.kernel = {1, 3}, .pad = {0, d}, .dilation = {1, d}, .bias = true}; }
constexpr ConvOpts tall(int d) { return {.kernel = {3, 1}, .pad = {d, 0}, .dilation = {d, 1}, .bias = true}; }

/// Between two convolutions, where maps lie in blocks of channels; its input has another reader.
template <int In, int Out, ConvOpts O>
struct Between {
  static constexpr int in = 3;
  Value<6> wire(Recorder& g, Value<3> x) const {
    const auto a = g("stem", Conv<3, In, ConvOpts{.bias = true}>{}, x);
    const auto b = g.global_avg_pool(g("conv", Conv<In, Out, O>{}, a));
    return g.add(g("head", Conv<Out, 6>{}, b), g("other", Conv<In, 6>{}, g.global_avg_pool(a)));
  }
};

/// ERFNet's way: norms, ReLU and the sum with the block's input are fused for inference.
template <int C, int D>
struct Block {
  static constexpr int in = 3;
  Value<C> wire(Recorder& g, Value<3> x) const {
    const auto a = g.relu(g("bn0", BatchNorm<C>{}, g("stem", Conv<3, C>{}, x)));
    const auto b = g.relu(g("bn1", BatchNorm<C>{},
                            g("wide", Conv<C, C, ConvOpts{.kernel = {1, 3}, .pad = {0, D}, .dilation = {1, D}}>{}, a)));
    return g.relu(g.add(g("bn2", BatchNorm<C>{}, g("both", Conv<C, C, both(D)>{}, b)), a));
  }
};

/// Alone: its maps are in plain order.
template <int In, int Out, ConvOpts O>
struct Alone {
  static constexpr int in = In;
  Value<Out> wire(Recorder& g, Value<In> x) const { return g("conv", Conv<In, Out, O>{}, x); }
};

const onednn::ConvChoice& choice_of(const Lowered& low, const std::string& name) {
  for (const auto& k : low.kernels)
    if (const auto* conv = dynamic_cast<const onednn::ConvKernel*>(k.get()); conv && conv->node_name() == name)
      return conv->choice();
  fail("no convolution {}", name);
}

template <class Net>
onednn::ConvChoice chosen(const Net& net, Extent images) {
  const Graph g = record(net, images);
  return choice_of(OneDnn().lower(g, analyse(g, true, g.outputs), {}), "conv");
}

/// In every order of channels, with gradients that are written and added to.
template <int In, int Out, ConvOpts O>
void check(Extent images, double tolerance = 2e-5) {
  CAPTURE(images.h);
  CAPTURE(images.w);
  compare(Between<In, Out, O>{}, images, {.tolerance = tolerance});
  compare(Between<In, Out, O>{}, images, {.training = false, .tolerance = tolerance});
  CHECK(test::check_graph_parity<OneDnn>(record(Between<In, Out, O>{}, images), {.tolerance = 10 * tolerance}) == "");
  compare(Alone<In, Out, O>{}, images, {.tolerance = tolerance});
}

/// Winograd's form needs no phases. Once as they would be chosen on this CPU, and once with all maps in phases.
constexpr onednn::Options direct{.winograd = false}, phases{.winograd = false, .split = onednn::Split::always};

bool is_split(const onednn::ConvChoice& c, onednn::Pass pass) { return c.of(pass).parts() > 1; }

/// The rank of oneDNN's code for a pass with the maps of `p`.
int rank_of(const onednn::ConvChoice& c, const onednn::ConvProblem& p, onednn::Pass pass, int rows) {
  onednn::ConvUse use;
  use.rows = rows;
  use.backward_data = use.backward_weights = true;
  use.bias = p.op.bias;
  use.forward_attr = onednn::user_scratchpad();
  // The gradient of the weights is to have the layout of the weights.
  const auto wanted = p.same_maps(c.problem) ? c.weights : c.weights_grad;
  return onednn::detail::ask(pass, p, use, pass == onednn::Pass::backward_weights ? wanted : p.any_weights()).rank;
}

}  // namespace

TEST_CASE("onednn: wide dilations in one direction equal the reference") {
  for (const auto& how : {direct, phases}) {
    const WithOptions options(how);
    check<20, 37, wide(8)>({2, 5, 30});
    check<16, 32, wide(16)>({3, 4, 64});
    check<32, 16, wide(16)>({1, 3, 41});  // which 16 does not divide
    check<128, 128, wide(16)>({1, 2, 33});
    check<20, 20, wide(16)>({2, 3, 9});  // narrower than the dilation
    check<16, 37, tall(16)>({2, 32, 5});
    check<16, 16, tall(16)>({2, 21, 3});
  }
}

TEST_CASE("onednn: wide dilations in both directions equal the reference") {
  for (const auto& how : {direct, phases}) {
    const WithOptions options(how);
    check<32, 32, both(8)>({2, 16, 32});
    check<20, 37, both(16)>({2, 19, 45});
    check<32, 32, both(36)>({2, 16, 32});  // outer taps lie beyond the map
    check<17, 16, both(36)>({1, 50, 23});
    check<64, 32, both(12)>({2, 16, 32});
    check<16, 16, both(16)>({3, 1, 1});
    check<3, 16, both(8)>({2, 12, 40});  // images
  }
}

TEST_CASE("onednn: wide dilations of other windows equal the reference") {
  for (const auto& how : {direct, phases}) {
    const WithOptions options(how);
    check<16, 20, ConvOpts{.kernel = 3, .dilation = 8, .bias = true}>({2, 20, 45});  // no padding
    check<16, 16, ConvOpts{.kernel = {1, 5}, .pad = {0, 24}, .dilation = {1, 12}}>({2, 3, 50});
    check<16, 16, ConvOpts{.kernel = 3, .pad = {16, 12}, .dilation = {16, 8}}>({2, 16, 40});
    check<16, 16, ConvOpts{.kernel = 3, .pad = 7, .dilation = 16}>({2, 30, 40});  // cannot be split
    check<32, 32, ConvOpts{.kernel = 3, .pad = 16, .dilation = 16, .groups = 2, .bias = true}>({2, 20, 30});
    check<32, 32, ConvOpts{.kernel = 3, .pad = 16, .dilation = 16, .groups = 32}>({2, 20, 30});
    check<16, 16, ConvOpts{.kernel = 3, .stride = 2, .pad = 36, .dilation = 36}>({2, 20, 30});
  }
}

TEST_CASE("onednn: norms, ReLU and sums are fused into dilated convolutions") {
  compare(Block<20, 16>{}, {2, 9, 40}, {.tolerance = 1e-4});
  compare(Block<20, 16>{}, {2, 9, 40}, {.training = false, .fold = true});
  compare(Block<16, 8>{}, {3, 16, 33}, {.training = false, .fold = true});
  compare(Block<128, 4>{}, {2, 24, 24}, {.training = false, .fold = true, .tolerance = 1e-4});  // Winograd's form
}

TEST_CASE("onednn: dilated convolutions in Winograd's form equal the reference") {
  const auto look = [&](const auto& net, Extent images, bool pays) {
    compare(net, images, {.tolerance = 1e-4});
    compare(net, images, {.training = false, .tolerance = 1e-4});
    const auto c = chosen(net, images);
    CAPTURE(c.problem.op.in);
    for (const auto pass : onednn::passes) {
      CAPTURE(static_cast<int>(pass));
      CHECK(c.uses_winograd(pass, images.n) == (pays && can_winograd(c)));
      if (c.uses_winograd(pass, images.n)) CHECK(c.of(pass).phases == 1);
    }
  };
  look(Between<128, 144, both(2)>{}, {2, 24, 16}, true);
  look(Between<16, 33, both(4)>{}, {2, 17, 30}, true);
  look(Between<32, 16, both(5)>{}, {3, 20, 43}, true);
  look(Between<64, 32, ConvOpts{.kernel = {3, 1}, .pad = {6, 0}, .dilation = {6, 1}, .bias = true}>{}, {2, 46, 8},
       true);
  look(Between<32, 64, ConvOpts{.kernel = {1, 3}, .pad = {0, 4}, .dilation = {1, 4}}>{}, {2, 9, 30}, true);
  look(Between<128, 128, both(4)>{}, {1, 8, 9}, false);   // too few tiles
  look(Between<32, 32, both(16)>{}, {2, 16, 32}, false);  // tiles of one or two pixels
}

TEST_CASE("onednn: dilated convolutions of batches in parts equal the reference") {
  onednn::Options small = phases;
  small.map_scratch = 1;  // eight times the weights
  const WithOptions options(small);
  const auto check_parts = [](const auto& net, Extent images) {
    const auto c = chosen(net, images);
    for (const auto pass : onednn::passes) {
      CAPTURE(static_cast<int>(pass));
      CHECK(is_split(c, pass) == generates_code());
      CHECK((c.part_rows(pass, images.n) < images.n) == is_split(c, pass));
    }
    compare(net, images, {.tolerance = 2e-4});
    compare(net, images, {.training = false});
  };
  check_parts(Between<16, 16, both(16)>{}, {5, 20, 40});
  check_parts(Between<16, 20, wide(16)>{}, {3, 16, 64});
}

TEST_CASE("onednn: dilated convolutions as experts equal the reference") {
  for (const auto& how : {direct, phases}) {
    const WithOptions options(how);
    using namespace mixture_test;
    for (const int k : {1, 2}) {
      const Choice c{.router = top(k, Weights::raw), .balance = balance::Importance{}};
      using Expert = Conv<16, 20, wide(16)>;
      CHECK(test::check_layer_parity<OneDnn>(mixture<Expert>(c), {9, 4, 40}, {.tolerance = 2e-4}) == "");
      CHECK(test::check_layer_parity<OneDnn>(mixture<Conv<16, 16, both(8)>>(c), {5, 9, 20}, {.tolerance = 2e-4}) == "");
      Graph mixed = record(Bare<AnyMoE<Conv<16, 16, both(16)>>>{mixture<Conv<16, 16, both(16)>>(c)}, {5, 18, 33});
      passes::mix_linear_experts(mixed, {}, passes::Mixing::always);
      CHECK(test::check_graph_parity<OneDnn>(mixed, {.tolerance = 2e-4}) == "");
    }
  }
}

TEST_CASE("onednn: programs of other sizes share the weights of a dilated convolution") {
  for (const auto& how : {direct, phases}) {
    const WithOptions options(how);
    const Between<20, 36, both(12)> net;
    const Graph g = record(net, {3, 16, 32}), h = record(net, {2, 80, 90});
    Side<OneDnn> first(g, {.training = true, .input_grad = true, .seeds = g.outputs});
    first.randomise();
    for (const bool training : {false, true}) {
      const ProgramOpts opts{
          .training = training, .input_grad = training, .seeds = training ? h.outputs : std::vector<int>{}};
      Side<OneDnn> one(h, opts, first.store);
      Side<backend::Reference<double>> ref(h, opts);
      one.randomise(), ref.randomise();
      run_and_compare(one, ref, {.training = training, .tolerance = 2e-4});
    }
  }
}

TEST_CASE("onednn: maps are split where that gets generated code, and only there") {
  const WithOptions options(direct);
  const auto look = [](const auto& net, Extent images) {
    const auto c = chosen(net, images);
    CAPTURE(c.problem.op.in);
    for (const auto pass : onednn::passes) {
      CAPTURE(static_cast<int>(pass));
      const bool whole = c.of(pass).same_maps(c.problem);
      if (rank_of(c, c.problem, pass, images.n) == 0) CHECK(whole);
      if (!whole) CHECK(rank_of(c, c.of(pass), pass, images.n) == 0);
    }
    return c.rank;
  };
  // Every CPU for which oneDNN generates code at all gets it here, in phases if need be.
  const int best = generates_code() ? 0 : 1;
  CHECK(look(Between<128, 128, wide(16)>{}, {4, 32, 64}) <= best);
  CHECK(look(Between<128, 128, tall(16)>{}, {4, 32, 64}) <= best);
  CHECK(look(Between<32, 32, both(16)>{}, {4, 32, 64}) <= best);
  CHECK(look(Between<32, 32, both(4)>{}, {4, 32, 64}) <= best);
  CHECK(look(Between<128, 128, both(1)>{}, {4, 32, 64}) <= best);
  // Not so here.
  CHECK(look(Between<256, 64, both(12)>{}, {4, 16, 32}) <= 1);
  CHECK(look(Between<256, 64, both(36)>{}, {4, 16, 32}) <= 1);
}

TEST_CASE("onednn: pixels in phases are where they belong, and come back") {
  const int b = onednn::channel_block(), channels = b + 3, rows = 2;
  const Edge e{{rows, 5, 7}, channels, -1, -1, ""};
  const Extent part{1, 4, 3};  // 2×3 phases of up to 3×3 pixels, and a row of zeros
  const auto plain = random_values<float>(e.elements(), 3);
  const onednn::BlockedLayout layout(e, b);
  std::vector<float> blocked(layout.elements());
  layout.pack(plain.data(), blocked.data());
  for (const bool stored_blocked : {false, true}) {
    const auto& stored = stored_blocked ? blocked : plain;
    const onednn::PassMap map(e, stored_blocked, true, {2, 3}, part);
    CHECK(map.converts());
    CHECK(map.edge_row() * rows == static_cast<long long>(stored.size()));
    std::vector<float> parts(map.row() * rows, NAN), back(stored_blocked ? stored : std::vector(stored.size(), NAN));
    map.from_edge(stored.data(), parts.data(), rows);
    std::size_t i = 0, wrong = 0;
    for (int r = 0; r < rows; ++r)
      for (int py = 0; py < 2; ++py)
        for (int px = 0; px < 3; ++px)
          for (int block = 0; block < 2; ++block)
            for (int y = py; y < 2 * part.h; y += 2)
              for (int x = px; x < 3 * part.w; x += 3)
                for (int l = 0; l < b; ++l) {
                  const int c = block * b + l;
                  const bool there = c < channels && y < 5 && x < 7;
                  wrong += parts[i++] != (there ? plain[((r * channels + c) * 5 + y) * 7 + x] : 0.f);
                }
    CHECK(i == parts.size());
    CHECK(wrong == 0);
    map.to_edge(parts.data(), back.data(), rows);
    CHECK(back == stored);
  }
  CHECK(!onednn::PassMap(e, true, true, 1, e.extent).converts());
}
#endif
