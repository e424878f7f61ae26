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

/// Experts in Winograd's form, whose scratch memory grows and shrinks with the number of rows, and direct ones.
struct Noisy {
  static constexpr int in = 3;
  struct Expert {
    static constexpr int in = 32, out = 32;
    Value<32> wire(Recorder& g, Value<32> x) const {
      const auto y = g("wide", Conv<32, 32, ConvOpts{.kernel = 3, .pad = 1}>{}, x);
      return g("point", Conv<32, 32>{}, g.relu(y));
    }
  };
  Value<10> wire(Recorder& g, Value<3> x) const {
    const auto a = g("stem", Conv<3, 32, ConvOpts{.kernel = 3, .pad = 1}>{}, x);
    const auto b = g("layer", MoE<Expert, 3, TopK<2>>{}, a);
    return g("fc", Linear<32, 10>{}, g.global_avg_pool(b));
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
  g.outputs.push_back(r.cross_entropy(g.outputs[0]));
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

namespace {

/// Steps with new noise each, so that row counts change; returns how often one was another than in the step before.
int run_with_noise(Side<backend::OneDnn>& one, int from, int steps) {
  int changes = 0;
  auto loads = one.program->routings()[0].offset;
  for (int s = from; s < from + steps; ++s) {
    const StepContext step{.training = true, .seed = 3, .step = static_cast<std::uint64_t>(s)};
    counting = true;
    one.program->forward(step);
    one.program->backward(step);
    one.store.touch();
    counting = false;
    const auto& now = one.program->routings()[0].offset;
    changes += now != loads;
    std::copy(now.begin(), now.end(), loads.begin());
  }
  return changes;
}

}  // namespace

TEST_CASE("onednn: hundreds of steps with real noise allocate nothing but code for row counts that are new") {
  const Graph g = with_loss(Noisy{}, {96, 8, 8});
  long long most = 0;
  for (const bool prepare : {true, false}) {
    CAPTURE(prepare);
    const WithOptions options({.prepare = prepare});
    const auto start = onednn::cache_stats();
    Side<backend::OneDnn> one(g, {.training = true});
    one.randomise();
    one.program->set_images(random_values<float>(g.edges[g.input].elements(), 5).data());
    one.program->set_labels(std::vector<int>(96, 3).data());
    run_with_noise(one, 0, 2);
    const auto warm = onednn::cache_stats();
    if (prepare) most = warm.misses - start.misses;  // for all row counts
    allocations = 0;
    const int steps = prepare ? 50 : 200;
    const int changes = run_with_noise(one, 2, steps);
    const auto end = onednn::cache_stats();
    CHECK(changes > steps / 2);
    CHECK(allocations == 0);
    CHECK(end.misses - start.misses <= most);
    CHECK(end.seconds >= warm.seconds);
    if (prepare) CHECK(end.misses == warm.misses);
  }
}

TEST_CASE("onednn: scratch memory is planned for every row count") {
  // In Winograd's form 80 rows of this size may need more than 64 or 96 do.
  const ops::Conv op{.in = 32, .out = 32, .kernel = 3, .pad = 1};
  const Edge map{{96, 8, 8}, 32, -1, -1, ""};
  for (const bool winograd : {true, false}) {
    const WithOptions options({.winograd = winograd});
    onednn::ConvUse use;
    use.rows = 96, use.routed = true, use.backward_data = use.backward_weights = true;
    use.forward_attr = onednn::user_scratchpad();
    const auto choice = onednn::choose_conv(op, map, true, map, true, use, nullptr, "test");
    onednn::ConvPrimitives calls(choice, use);
    const Graph g = with_loss(Noisy{}, {96, 8, 8});
    const Flow f = analyse(g, true);
    const auto is_wide = [](const Node& n) { return n.name.ends_with("wide"); };
    const auto node = std::find_if(g.nodes.begin(), g.nodes.end(), is_wide) - g.nodes.begin();
    const NodeNeeds needs = onednn::ConvKernel(g, f, static_cast<int>(node), true, true, nullptr).needs();
    for (int rows = 1; rows <= 96; ++rows) {
      CHECK(calls.scratch_bytes(onednn::Pass::forward, rows) <= needs.scratch_forward);
      CHECK(calls.scratch_bytes(onednn::Pass::backward_data, rows) <= needs.scratch_backward);
      CHECK(calls.scratch_bytes(onednn::Pass::backward_weights, rows) <= needs.scratch_backward);
    }
  }
}

TEST_CASE("onednn: few row counts stand for the many of large batches") {
  CHECK(onednn::common_rows(1) == 1);
  CHECK(onednn::common_rows(127) == 127);
  CHECK(onednn::common_rows(135) == 128);
  CHECK(onednn::common_rows(1000) == 992);
  for (const int most : {5, 128, 2048}) {
    const auto counts = onednn::row_counts(1, most, [](int rows) { return onednn::common_rows(rows); });
    CHECK(counts.size() <= 128 + 16 * 4 + 1);
    for (int rows = 1; rows <= most; ++rows) {
      const int first = onednn::common_rows(rows);
      CHECK(first > rows - rows / 16 - 1);
      CHECK(std::binary_search(counts.begin(), counts.end(), first));
      if (rows > first) CHECK(std::binary_search(counts.begin(), counts.end(), rows - first));
    }
  }
}

namespace {

/// Experts with more rows than primitives are made for one by one.
struct ManyRows {
  static constexpr int in = 3;
  struct Expert {
    static constexpr int in = 8, out = 9;
    Value<9> wire(Recorder& g, Value<8> x) const {
      return g("conv", Conv<8, 9, ConvOpts{.kernel = 3, .stride = 2, .pad = 1, .bias = true}>{}, x);
    }
  };
  Value<9> wire(Recorder& g, Value<3> x) const {
    return g("layer", MoE<Expert, 3, TopK<2>>{}, g("stem", Conv<3, 8>{}, x));
  }
};

}  // namespace

TEST_CASE("onednn: experts with hundreds of rows equal the reference") {
  for (const int rows : {127, 300, 523}) compare(ManyRows{}, {rows, 3, 4}, {.tolerance = 1e-4});
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
      CHECK(onednn::rank_of(n) <= (generates_code() ? 0 : 1));
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
      CHECK(onednn::choose_conv(op, x, true, y, true, use, nullptr, "test").rank <= (generates_code() ? 0 : 1));
    }
}
#endif
