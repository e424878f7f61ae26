#if MOECNN_HAS_ONEDNN
#include "onednn_compare.hpp"

#include "moecnn/layer/basic_block.hpp"
#include "moecnn/layer/linear.hpp"

using namespace moecnn;
using namespace onednn_test;

namespace {

/// A convolution from images of In channels to Mid, which blocks the maps, and the one under test.
template <int In, int Mid, int Out, ConvOpts O>
struct ConvNet {
  static constexpr int in = In;
  Value<Out> wire(Recorder& g, Value<In> x) const {
    return g("conv", Conv<Mid, Out, O>{}, g("stem", Conv<In, Mid, ConvOpts{.kernel = 3, .pad = 1, .bias = true}>{}, x));
  }
};

constexpr ConvOpts k3{.kernel = 3, .pad = 1}, k3_bias{.kernel = 3, .pad = 1, .bias = true};
constexpr ConvOpts k3s2{.kernel = 3, .stride = 2, .pad = 1}, k1s2{.kernel = 1, .stride = 2, .bias = true};

}  // namespace

TEST_CASE("onednn: convolutions of any channel count equal the reference, forward and backward") {
  const Extent images{3, 9, 7};
  compare(ConvNet<3, 25, 50, k3_bias>{}, images);
  compare(ConvNet<3, 50, 25, k3s2>{}, images);
  compare(ConvNet<3, 64, 100, k1s2>{}, images);
  compare(ConvNet<3, 100, 3, ConvOpts{.kernel = 1, .bias = true}>{}, images);
  compare(ConvNet<5, 16, 32, ConvOpts{.kernel = {3, 1}, .pad = {2, 0}, .dilation = 2}>{}, images);
  compare(ConvNet<1, 8, 7, k3>{}, images);
  compare(ConvNet<20, 16, 16, ConvOpts{.kernel = 5, .stride = 2, .pad = 2}>{}, {2, 12, 12});
  compare(ConvNet<3, 3, 3, k3_bias>{}, {1, 1, 1});
}

TEST_CASE("onednn: Winograd convolutions equal the reference and can be switched off") {
  for (const bool winograd : {true, false}) {
    const WithOptions options({.winograd = winograd});
    compare(ConvNet<3, 25, 50, k3_bias>{}, {4, 16, 17});
    compare(ConvNet<3, 64, 64, k3>{}, {2, 32, 32});
    compare(ConvNet<3, 16, 100, ConvOpts{.kernel = 3, .bias = true}>{}, {3, 15, 14});
    compare(ConvNet<3, 17, 16, ConvOpts{.kernel = 3, .pad = 2}>{}, {1, 70, 5});
    compare(ConvNet<3, 64, 50, ConvOpts{.kernel = {3, 1}, .pad = {1, 0}, .bias = true}>{}, {2, 19, 23});
    compare(ConvNet<3, 33, 64, ConvOpts{.kernel = {1, 3}, .pad = {0, 1}}>{}, {2, 19, 23});
    compare(ConvNet<3, 80, 160, ConvOpts{.kernel = {1, 3}}>{}, {3, 14, 9});
    const Graph g = record(ConvNet<3, 64, 64, k3>{}, {2, 32, 32});
    auto low = backend::OneDnn().lower(g, analyse(g, true, g.outputs), {});
    auto* conv = dynamic_cast<onednn::ConvKernel*>(low.kernels[2].get());
    REQUIRE(conv);
    for (const auto pass : onednn::passes) {
      const bool uses = conv->choice().uses_winograd(pass, 2);
      CHECK(uses == (winograd && can_winograd(conv->choice())));
      CHECK(!conv->choice().uses_winograd(pass, 0));
    }
  }
}

TEST_CASE("onednn: a Winograd convolution that needs more memory than it may take is direct") {
  const Extent images{64, 16, 16};
  const auto choice = [&](std::size_t bytes) {
    const WithOptions options({.winograd_scratch = bytes});
    const Graph g = record(ConvNet<3, 128, 128, k3_bias>{}, images);
    const auto low = backend::OneDnn().lower(g, analyse(g, true, g.outputs), {});
    auto* conv = dynamic_cast<onednn::ConvKernel*>(low.kernels[2].get());
    REQUIRE(conv);
    return conv->choice();
  };
  const onednn::ConvChoice any = choice(std::size_t{1} << 40);
  for (const auto pass : onednn::passes) {
    CHECK(any.uses_winograd(pass, images.n) == can_winograd(any));
    const auto form = onednn::make_winograd(any.problem, pass);
    const std::size_t needs = form ? form->scratch_bytes(images.n) : 1;
    CHECK(choice(needs).uses_winograd(pass, images.n) == can_winograd(any));
    CHECK(!choice(needs - 1).uses_winograd(pass, images.n));
  }
}

TEST_CASE("onednn: grouped and depthwise convolutions equal the reference") {
  const Extent images{2, 8, 8};
  compare(ConvNet<3, 64, 32, ConvOpts{.kernel = 3, .pad = 1, .groups = 2}>{}, images);
  compare(ConvNet<3, 25, 25, ConvOpts{.kernel = 3, .pad = 1, .groups = 25, .bias = true}>{}, images);
  compare(ConvNet<3, 32, 32, ConvOpts{.kernel = 3, .stride = 2, .pad = 1, .groups = 32}>{}, images);
  compare(ConvNet<3, 24, 12, ConvOpts{.kernel = 3, .pad = 1, .groups = 4, .bias = true}>{}, images);
  compare(ConvNet<3, 64, 64, ConvOpts{.kernel = 3, .pad = 1, .groups = 16}>{}, images);
}

namespace {

/// Norms with and without what can be fused into them; every edge of the block has two readers somewhere.
struct Blocks {
  static constexpr int in = 3;
  Value<50> wire(Recorder& g, Value<3> x) const {
    const auto a = g("stem", Conv<3, 25, ConvOpts{.kernel = 3, .pad = 1}>{}, x);
    const auto b = g("0", BasicBlock<25, 25>{}, a);
    const auto c = g("1", BasicBlock<25, 50, 2>{}, g.add(b, a));
    return g.add(g("bn", BatchNorm<50>{}, c), g.relu(c));
  }
};

struct Head {
  static constexpr int in = 3;
  Value<10> wire(Recorder& g, Value<3> x) const {
    const auto a = g.relu(g("bn", BatchNorm<20>{}, g("stem", Conv<3, 20, k3>{}, x)));
    const auto b = g.max_pool(a, {.kernel = 3, .stride = 2, .pad = 1});
    const auto c = g.max_pool(g("conv", Conv<20, 40, k3>{}, b), {.kernel = 2, .stride = 1});
    return g("fc", Linear<40, 10>{}, g.global_avg_pool(g.relu(c)));
  }
};

/// Maps of one pixel between linear layers and convolutions, and norms of plain rows.
struct PlainRows {
  static constexpr int in = 3;
  Value<24> wire(Recorder& g, Value<3> x) const {
    const auto a = g("stem", Conv<3, 24, k3_bias>{}, g("bn0", BatchNorm<3>{}, x));
    const auto squeezed = g("down", Conv<24, 40>{}, g.global_avg_pool(a));
    const auto b = g.relu(g("bn1", BatchNorm<12>{}, g("fc", Linear<40, 12, Bias::no>{}, squeezed)));
    const auto c = g("up", Conv<12, 24, ConvOpts{.bias = true}>{}, b);
    return g("last", Linear<24, 24, Bias::no>{}, g.relu(g.add(c, g.global_avg_pool(a))));
  }
};

/// A data gradient that is added to another, on maps so large that it is computed in several chunks of rows.
struct Chunks {
  static constexpr int in = 3;
  Value<8> wire(Recorder& g, Value<3> x) const {
    const auto a = g("stem", Conv<3, 8, k3>{}, x);
    return g.add(g("conv", Conv<8, 8, k3>{}, a), a);
  }
};

struct Far {
  static constexpr int in = 3;
  Value<16> wire(Recorder& g, Value<3> x) const { return g("bn", BatchNorm<16>{}, g("conv", Conv<3, 16>{}, x)); }
};

/// One convolution's parameters used three times: on blocked maps, on plain rows, and twice in the same format.
struct Shared {
  static constexpr int in = 20;
  Value<20> wire(Recorder& g, Value<20> x) const {
    auto y = x;
    for (int i = 0; i < 3; ++i) y = g("conv", Conv<20, 20, ConvOpts{.kernel = 3, .pad = 1, .bias = true}>{}, y);
    return g("norm", BatchNorm<20>{}, g.relu(g("norm", BatchNorm<20>{}, y)));
  }
};

}  // namespace

TEST_CASE("onednn: batch norm, residuals, ReLU and sums equal the reference, fused and not") {
  for (const bool fuse : {true, false}) {
    CAPTURE(fuse);
    compare(Blocks{}, {4, 8, 8}, {.fuse = fuse, .steps = 2});
    compare(Blocks{}, {1, 6, 5}, {.fuse = fuse, .tolerance = 1e-4});
    compare(Blocks{}, {2, 40, 33}, {.fuse = fuse});
    compare(Blocks{}, {3, 8, 8}, {.training = false, .fuse = fuse});
  }
}

TEST_CASE("onednn: with frozen statistics the gradients of batch norm equal the reference, too") {
  for (const bool fuse : {true, false}) {
    CAPTURE(fuse);
    compare(Blocks{}, {4, 8, 8}, {.frozen = true, .fuse = fuse});
    compare(Blocks{}, {2, 40, 33}, {.frozen = true, .fuse = fuse});
    compare(Head{}, {3, 11, 10}, {.frozen = true, .fuse = fuse});
  }
}

TEST_CASE("onednn: pooling and linear layers equal the reference") {
  compare(Head{}, {3, 11, 10});
  compare(Head{}, {2, 40, 40}, {.input_grad = false});
  compare(Head{}, {2, 12, 12}, {.training = false});
}

TEST_CASE("onednn: maps of one pixel mix with plain rows") { compare(PlainRows{}, {4, 5, 5}, {.tolerance = 1e-4}); }

TEST_CASE("onednn: shared parameters sum up their gradients") { compare(Shared{}, {3, 6, 6}); }

TEST_CASE("onednn: gradients add up chunk by chunk") { compare(Chunks{}, {5, 120, 120}); }

TEST_CASE("onednn: folded inference equals the reference and the norm that was folded") {
  compare(Blocks{}, {3, 9, 8}, {.training = false, .fold = true});
  compare(Blocks{}, {4, 24, 20}, {.training = false, .fold = true});  // large enough for Winograd
  compare(Head{}, {3, 9, 8}, {.training = false, .fold = true});
}

TEST_CASE("onednn: a batch norm far from zero loses no digits") {
  // Around 300 a float has 15 bits behind the point; sums of squares would have next to none.
  compare(Far{}, {4, 32, 32}, {.backward = false, .shift = 300, .tolerance = 3e-4});
}

TEST_CASE("onednn: NaN in the images is not swallowed") {
  const Graph g = record(Head{}, {2, 8, 8});
  Side<backend::OneDnn> one(g, {});
  one.randomise();
  std::vector<float> images(g.edges[g.input].elements(), 1.f);
  images[5] = NAN;
  one.program->set_images(images.data());
  one.program->forward({});
  CHECK(std::isnan(one.program->read(g.outputs[0])[0]));
}
#endif
