#include <doctest/doctest.h>

#include <new>

#include "train/tiny.hpp"

using namespace moecnn;

// Every allocation by operator new in this program is counted. The sanitizers have an operator new of their own.
#ifndef __SANITIZE_ADDRESS__

#define NOINLINE __attribute__((noinline))  // GCC warns of new and free in one function
namespace {
std::atomic<long> allocations{0};
void* counted(std::size_t bytes, std::size_t alignment) {
  ++allocations;
  void* p = std::aligned_alloc(alignment, (bytes + alignment) / alignment * alignment);
  if (!p) throw std::bad_alloc();
  return p;
}
}  // namespace
NOINLINE void* operator new(std::size_t n) { return counted(n, 16); }
NOINLINE void* operator new[](std::size_t n) { return counted(n, 16); }
NOINLINE void* operator new(std::size_t n, std::align_val_t a) { return counted(n, static_cast<std::size_t>(a)); }
NOINLINE void* operator new[](std::size_t n, std::align_val_t a) { return counted(n, static_cast<std::size_t>(a)); }
NOINLINE void operator delete(void* p) noexcept { std::free(p); }
NOINLINE void operator delete[](void* p) noexcept { std::free(p); }
NOINLINE void operator delete(void* p, std::size_t) noexcept { std::free(p); }
NOINLINE void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
NOINLINE void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
NOINLINE void operator delete[](void* p, std::align_val_t) noexcept { std::free(p); }
NOINLINE void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
NOINLINE void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

TEST_CASE("a step allocates nothing") {
  const auto set = tiny_images(44);  // a partial batch of 4
  data::Loader train(set, tiny_loader());
  TinyModel model({.n = 8, .h = 8, .w = 8});
  std::vector<long> counts;
  counts.reserve(100);
  fit(model, train,
      {.epochs = 4,
       .optimizer = Sgd{.momentum = 0.9},
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

#else

TEST_CASE("a step allocates nothing") { MESSAGE("not counted here: this is a build with sanitizers"); }

#endif
