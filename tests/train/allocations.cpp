#include <doctest/doctest.h>
#include <malloc.h>

#include <new>

#include "io/scratch.hpp"
#include "moecnn/backend/host/typed_layout.hpp"
#include "train/tiny.hpp"

using namespace moecnn;

// Every allocation by operator new in this program is counted. The sanitizers have an operator new of their own.
#ifndef MOECNN_SANITIZED

#define NOINLINE __attribute__((noinline))  // GCC warns of new and free in one function
namespace {
std::atomic<long> allocations{0};
std::atomic<std::size_t> live{0}, peak{0};  // bytes
void* counted(std::size_t bytes, std::size_t alignment) {
  ++allocations;
  void* p = std::aligned_alloc(alignment, (bytes + alignment) / alignment * alignment);
  if (!p) throw std::bad_alloc();
  const std::size_t now = live += ::malloc_usable_size(p);
  for (std::size_t most = peak; most < now && !peak.compare_exchange_weak(most, now);) {
  }
  return p;
}
void gone(void* p) {
  live -= ::malloc_usable_size(p);
  std::free(p);
}
}  // namespace
NOINLINE void* operator new(std::size_t n) { return counted(n, 16); }
NOINLINE void* operator new[](std::size_t n) { return counted(n, 16); }
NOINLINE void* operator new(std::size_t n, std::align_val_t a) { return counted(n, static_cast<std::size_t>(a)); }
NOINLINE void* operator new[](std::size_t n, std::align_val_t a) { return counted(n, static_cast<std::size_t>(a)); }
NOINLINE void operator delete(void* p) noexcept { gone(p); }
NOINLINE void operator delete[](void* p) noexcept { gone(p); }
NOINLINE void operator delete(void* p, std::size_t) noexcept { gone(p); }
NOINLINE void operator delete[](void* p, std::size_t) noexcept { gone(p); }
NOINLINE void operator delete(void* p, std::align_val_t) noexcept { gone(p); }
NOINLINE void operator delete[](void* p, std::align_val_t) noexcept { gone(p); }
NOINLINE void operator delete(void* p, std::size_t, std::align_val_t) noexcept { gone(p); }
NOINLINE void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { gone(p); }

TEST_CASE("a step allocates nothing") {
  const auto set = tiny_images(44);  // a partial batch of 4
  for (const int accumulate : {1, 2}) {
    data::Loader train(set, tiny_loader(8 / accumulate));
    TinyModel model({.n = 8 / accumulate, .h = 8, .w = 8});
    std::vector<long> counts;
    counts.reserve(100);
    fit(model, train,
        {.epochs = 4,
         .optimizer = Sgd{.momentum = 0.9},
         .groups = {{.pattern = "conv1.*", .frozen = accumulate == 2}, {.pattern = "*.bias", .rate = 2}},
         .accumulate = accumulate,
         .clip_norm = 1,
         .log_steps = 1000,
         .watch_steps = 1000,
         .progress = silent(),
         .on_step = [&](const StepInfo&) { counts.push_back(allocations.load()); }});
    REQUIRE(counts.size() == 24);
    // From the second epoch on; the first and the last step of an epoch also count what its record takes.
    for (std::size_t i = 6; i < counts.size(); ++i)
      if (i % 6 != 0 && i % 6 != 5) CHECK_MESSAGE(counts[i] == counts[i - 1], "step ", i);
  }
}

TEST_CASE("a run's memory grows with its records alone") {
  const auto set = tiny_images(44), tests = tiny_images(20, 2);
  data::Loader train(set, tiny_loader()), test(tests, test_loader());
  TinyModel model({.n = 8, .h = 8, .w = 8});
  const Scratch out;
  std::vector<std::size_t> bytes;
  bytes.reserve(400);
  fit(model, train, test,
      {.epochs = 300,
       .out = out.dir(),
       .log_steps = 1'000'000,
       .watch_steps = 10,
       .progress = silent(),
       .on_epoch = [&](const EpochRecord&) { bytes.push_back(live.load()); }});
  REQUIRE(bytes.size() == 300);
  // A record of a step and one of an epoch per epoch, each with two lists of three shares per mixture.
  const double per_epoch = static_cast<double>(bytes[299] - bytes[99]) / 200;
  MESSAGE(per_epoch, " bytes per epoch of ", 6, " steps");
  CHECK(per_epoch < 2000);
}

namespace {

struct Backwards final : host::TypedLayout<float> {
  explicit Backwards(std::size_t count) : n(count) {}
  std::size_t elements() const override { return n; }
  void pack(const float* plain, float* stored) const override { std::reverse_copy(plain, plain + n, stored); }
  void unpack(const float* stored, float* plain) const override { std::reverse_copy(stored, stored + n, plain); }
  std::size_t n;
};

}  // namespace

TEST_CASE("writing and reading a checkpoint takes the memory of one tensor beside the model, whatever the layouts") {
  constexpr int tensors = 64, elements = 1 << 16;
  Graph g;
  Layouts layouts;
  for (int i = 0; i < tensors; ++i) {
    g.params.push_back({formatted("layer{}.weight", i), {elements}, Init::fan_in_uniform, 10});
    layouts.push_back(std::make_shared<Backwards>(elements));
  }
  ParamStore store;
  store.adopt(g, layouts);
  store.make_gradients();
  store.initialise(1);
  Optimizer adam(Adam{}, store);
  RunState run;
  const Scratch out;
  const auto extra = [&](const auto& action) {
    const std::size_t before = live;
    peak = before;
    action();
    return static_cast<double>(peak - before) / (elements * sizeof(float));
  };
  CHECK(extra([&] { save_checkpoint(out / "c.safetensors", store, adam, run); }) < 2);
  CHECK(extra([&] { save_weights(store, out / "w.safetensors"); }) < 2);
  CHECK(extra([&] { load_checkpoint(out / "c.safetensors", store, adam, run); }) < 2);
}

#else

TEST_CASE("a step allocates nothing") { MESSAGE("not counted here: this is a build with sanitizers"); }

#endif
