#if MOECNN_HAS_ONEDNN
#include "onednn_compare.hpp"

#include "moecnn/graph/passes/mix_linear_experts.hpp"
#include "moecnn/layer/conv_transpose.hpp"
#include "moecnn/moe/patch_moe.hpp"
#include "moecnn/moe/res_block_moe.hpp"
#include "moecnn/zoo/resnet.hpp"

#include <cstdlib>
#include <new>

using namespace moecnn;
using namespace onednn_test;

namespace {
thread_local long long allocations = 0;  // outside of oneDNN
thread_local bool counting = false;

void* allocate(std::size_t bytes) {
  if (counting && onednn::inside_library == 0) ++allocations;
  if (void* p = std::malloc(bytes ? bytes : 1)) return p;
  throw std::bad_alloc();
}
}  // namespace

void* operator new(std::size_t bytes) { return allocate(bytes); }
void* operator new[](std::size_t bytes) { return allocate(bytes); }
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return std::malloc(bytes ? bytes : 1); }
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept { return std::malloc(bytes ? bytes : 1); }
void operator delete(void* p, const std::nothrow_t&) noexcept { std::free(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { std::free(p); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }

namespace {

struct Stage {
  static constexpr int in = 3;
  Value<10> wire(Recorder& g, Value<3> x) const {
    const auto a = g("stem", Conv<3, 16, ConvOpts{.kernel = 3, .pad = 1}>{}, x);
    const auto b = g("layer", ResBlockMoE<NarrowBlocks<16, 10, 32>, 4>{}, a);
    return g("fc", Linear<32, 10>{}, g.global_avg_pool(b));
  }
};

/// Up again by transposed convolutions, one of them with an input in plain order.
struct Up {
  static constexpr int in = 3;
  Value<10> wire(Recorder& g, Value<3> x) const {
    constexpr ConvTransposeOpts up{.kernel = 3, .stride = 2, .pad = 1, .out_pad = 1, .bias = true};
    const auto a = g("a", ConvTranspose<3, 16, up>{}, x);
    const auto b = g.relu(g("b", ConvTranspose<16, 24, up>{}, g.relu(a)));
    return g("fc", Linear<24, 10>{}, g.global_avg_pool(b));
  }
};

/// Depthwise convolutions of our own and, with the small window, of oneDNN.
struct Depthwise {
  static constexpr int in = 3;
  Value<10> wire(Recorder& g, Value<3> x) const {
    constexpr ConvOpts wide{.kernel = 5, .pad = 4, .dilation = 2, .groups = 20, .bias = true};
    constexpr ConvOpts half{.kernel = 5, .stride = 2, .pad = 2, .groups = 20};
    constexpr ConvOpts small{.kernel = 3, .pad = 1, .groups = 20};
    const auto a = g("wide", Conv<20, 20, wide>{}, g("stem", Conv<3, 20, ConvOpts{.kernel = 3, .pad = 1}>{}, x));
    const auto b = g("small", Conv<20, 20, small>{}, g("half", Conv<20, 20, half>{}, g.relu(a)));
    return g("fc", Linear<20, 10>{}, g.global_avg_pool(b));
  }
};

/// Dilations that are computed in phases, one of them with two readers of its input.
struct Dilated {
  static constexpr int in = 3;
  Value<10> wire(Recorder& g, Value<3> x) const {
    constexpr ConvOpts wide{.kernel = {1, 3}, .pad = {0, 16}, .dilation = {1, 16}, .bias = true};
    constexpr ConvOpts both{.kernel = 3, .pad = 8, .dilation = 8};
    const auto a = g("stem", Conv<3, 20, ConvOpts{.kernel = 3, .pad = 1}>{}, x);
    const auto b = g("both", Conv<20, 20, both>{}, g.add(g("wide", Conv<20, 20, wide>{}, a), a));
    return g("fc", Linear<20, 10>{}, g.global_avg_pool(b));
  }
};

/// A mixture of convolutions in patches, which one mixed convolution per patch replaces.
struct Patches {
  static constexpr int in = 3;
  Value<10> wire(Recorder& g, Value<3> x) const {
    using K3 = Conv<16, 16, ConvOpts{.kernel = 3, .pad = 1, .bias = true}>;
    const auto a = g("stem", Conv<3, 16, ConvOpts{.kernel = 3, .pad = 1}>{}, x);
    const auto b = g("layer", PatchMoE<K3, 4, TopK<2>>{.patches = {.grid = 3}}, a);
    return g("fc", Linear<16, 10>{}, g.global_avg_pool(b));
  }
};

template <class Net>
Graph with_loss(const Net& net, Extent images) {
  Graph g = record(net, images);
  Recorder r(g);
  g.outputs.push_back(r.record(ops::CrossEntropy{g.edges[g.outputs[0]].channels}, {g.outputs[0]}, 1, {1, 1, 1}));
  passes::fuse_norm_activation(g);
  return g;
}

/// Two steps after the warm-up allocate nothing and make no primitive.
void check_steady(const Graph& g) {
  const int rows = g.edges[g.input].extent.n;
  Side<backend::OneDnn> one(g, {.training = true});
  one.randomise();
  const auto images = random_values<float>(g.edges[g.input].elements(), 5);
  const std::vector<int> labels(rows, 3);
  one.program->set_images(images.data());
  one.program->set_labels(labels.data());
  // The same noise every time, so that the experts' row counts repeat.
  const StepContext step{.training = true, .seed = 3};
  const auto run = [&] {
    one.program->forward(step);
    one.program->backward(step);
    one.store.touch();
  };
  run(), run();
  const auto before = onednn::cache_stats();
  allocations = 0, counting = true;
  run(), run();
  counting = false;
  const auto after = onednn::cache_stats();
  CHECK(allocations == 0);
  CHECK(after.misses == before.misses);
  CHECK(after.hits > before.hits);
}

}  // namespace

TEST_CASE("onednn: after warm-up a step makes no primitive and allocates nothing") {
  check_steady(with_loss(Stage{}, {8, 8, 8}));
}

TEST_CASE("onednn: nor does a step with transposed convolutions") { check_steady(with_loss(Up{}, {8, 8, 8})); }

TEST_CASE("onednn: nor does a step with depthwise convolutions") { check_steady(with_loss(Depthwise{}, {3, 8, 9})); }

TEST_CASE("onednn: nor does a step with dilated convolutions") { check_steady(with_loss(Dilated{}, {5, 14, 40})); }

TEST_CASE("onednn: nor does a step with mixed convolutions") {
  for (const Extent images : {Extent{2, 8, 9}, Extent{1, 40, 40}}) {  // the second in Winograd's form
    Graph g = with_loss(Patches{}, images);
    passes::mix_linear_experts(g, {}, passes::Mixing::always);
    const auto mixed = [](const Node& n) { return std::holds_alternative<ops::MixedConv>(n.op); };
    REQUIRE(std::count_if(g.nodes.begin(), g.nodes.end(), mixed) == 1);
    check_steady(g);
  }
}

TEST_CASE("onednn: every other row count of an expert is made once") {
  const Graph g = record(Stage{}, {8, 8, 8});
  Side<backend::OneDnn> one(g, {});
  one.randomise();
  const auto images = random_values<float>(g.edges[g.input].elements(), 5);
  one.program->set_images(images.data());
  const auto misses = [&](int expert) {
    const long long before = onednn::cache_stats().misses;
    one.program->forward({.fixed_expert = expert});
    return onednn::cache_stats().misses - before;
  };
  CHECK(misses(1) > 0);   // eight rows for one expert
  CHECK(misses(2) == 0);  // the same for another
}

TEST_CASE("onednn: no convolution of a ResNet is left to reference code") {
  for (const bool training : {true, false}) {
    Graph g = with_loss(CifarResNet18<100>{}, {2, 32, 32});
    Side<backend::OneDnn> one(g, {.training = training});
    one.randomise();
    const auto images = random_values<float>(g.edges[g.input].elements(), 5);
    one.program->set_images(images.data());
    one.program->set_labels(std::vector<int>(2, 3).data());
    one.program->forward({.training = training});
    if (training) one.program->backward({.training = true});
    const auto names = onednn::implementations(one.program->lowered());
    CHECK(names.size() >= (training ? 59 : 20));  // 20 convolutions; the first has no data gradient
    for (const std::string& n : names) {
      CAPTURE(n);
      CHECK(onednn::rank_of(n) == 0);
    }
  }
}

TEST_CASE("onednn: few rows do not fall to reference code either") {
  struct Sizes {
    int in, out, side, kernel, stride;
  };
  for (const Sizes s :
       {Sizes{256, 180, 4, 3, 2}, Sizes{180, 512, 4, 3, 1}, Sizes{64, 25, 32, 3, 1}, Sizes{25, 64, 32, 1, 1}})
    for (int rows = 1; rows <= 4; ++rows) {
      ops::Conv op{.in = s.in, .out = s.out, .kernel = s.kernel, .stride = s.stride, .pad = s.kernel / 2};
      Edge x{{rows, s.side, s.side}, s.in, -1, -1, ""}, y{op.output(x.extent), s.out, -1, -1, ""};
      onednn::ConvUse use;
      use.rows = rows, use.backward_data = use.backward_weights = true;
      use.forward_attr = onednn::user_scratchpad();
      CHECK(onednn::choose_conv(op, x, true, y, true, use, nullptr, "test").rank == 0);
    }
}
#endif
