#include "moecnn/model/program.hpp"

#include "graph/random_graphs.hpp"

#include <doctest/doctest.h>
#include <atomic>
#include <cstdlib>

// Every allocation of this test program is counted, Eigen's included. Sanitizers bring a malloc of their own.
#if defined(__GLIBC__) && !defined(MOECNN_SANITIZED)
#define COUNTS_ALLOCATIONS 1
namespace {
std::atomic<long> allocations{0};
}
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void* malloc(std::size_t n) { return ++allocations, __libc_malloc(n); }
void* calloc(std::size_t n, std::size_t size) { return ++allocations, __libc_calloc(n, size); }
void* realloc(void* p, std::size_t n) { return ++allocations, __libc_realloc(p, n); }
void* aligned_alloc(std::size_t a, std::size_t n) { return ++allocations, __libc_memalign(a, n); }
int posix_memalign(void** p, std::size_t a, std::size_t n) { return ++allocations, *p = __libc_memalign(a, n), 0; }
}
#else
#define COUNTS_ALLOCATIONS 0
namespace {
long allocations = 0;
}
#endif

using namespace moecnn;
using namespace mixture_test;

namespace {

using Reference = backend::Reference<double>;

struct Net {
  static constexpr int in = 3;
  Choice choice{};
  Value<10> wire(Recorder& g, Value<3> x) const {
    auto y = g.relu(g("bn", BatchNorm<4>{}, g("conv", Conv<3, 4, ConvOpts{.kernel = 3, .pad = 1, .bias = true}>{}, x)));
    y = g.max_pool(g("block", BasicBlock<4, 4>{}, y), {.kernel = 2, .stride = 2});
    y = g("mixture", mixture<BasicBlock<4, 4>>(choice), y);
    return g("fc", Linear<4, 10>{}, g.global_avg_pool(y));
  }
};

Graph with_loss(Graph g) {
  g.outputs.push_back(Recorder(g).cross_entropy(g.outputs[0]));
  return g;
}

/// Products too large for anything to fit on the stack by chance.
struct WideNet {
  static constexpr int in = 3;
  Value<10> wire(Recorder& g, Value<3> x) const {
    const auto y = g("wide", BasicBlock<3, 128>{}, x);
    return g("fc", Linear<128, 10>{},
             g.global_avg_pool(g("mixture", mixture<BasicBlock<128, 128>>({.router = top(2)}), y)));
  }
};

template <class T>
void check_no_allocations(const Graph& g) {
  test::Rig<backend::Reference<T>> rig;
  auto& training = rig.add_training(test::fused(with_loss(g)));
  auto& inference = rig.add(test::folded(g), {});
  test::fill(rig.store, 1);
  const auto batch = test::random_batch(g, 1);
  const auto steps = [&](auto& program, StepContext step, int n) {
    for (int i = 0; i < n; ++i, ++step.step) {
      program.set_images(batch.images.data());
      testing::set_targets(program, batch);
      program.forward(step);
      if (step.training) program.backward(step);
    }
  };
  steps(training, {.training = true}, 1);
  steps(inference, {}, 1);
  const long before = allocations;
  steps(training, {.training = true, .step = 1}, 5);
  steps(inference, {}, 2);
  steps(inference, {.fixed_expert = 2}, 2);
  steps(inference, {}, 1);
  const long made = allocations - before;
  CHECK(made == 0);
}

}  // namespace

TEST_CASE("program: after the first step nothing is allocated") {
  if (!COUNTS_ALLOCATIONS) {
    MESSAGE("not counted here: another malloc is in use");
    return;
  }
  const long before = allocations;
  const std::vector<double> some(static_cast<std::size_t>(before % 7 + 1));
  const long made = allocations - before;
  CHECK(made == 1);  // the counter counts
  CHECK(some.size() > 0);
  for (const Choice& c : {Choice{.router = top(2), .balance = balance::Importance{}},
                          Choice{.router = top(3), .balance = balance::Entropy{}},
                          Choice{.router = top(1, Weights::raw), .balance = balance::Switch{}},
                          Choice{.router = top(2), .constraint = constraint::RelativeImportance{}},
                          Choice{.router = top(4), .constraint = constraint::MeanImportance{}}}) {
    check_no_allocations<double>(record(Net{c}, {9, 8, 8}));
    check_no_allocations<float>(record(Net{c}, {9, 8, 8}));
  }
  check_no_allocations<double>(record(WideNet{}, {2, 6, 6}));
  check_no_allocations<float>(record(WideNet{}, {2, 6, 6}));
}

TEST_CASE("program: values can be read where they were kept, by name") {
  const Graph g = record(Net{}, {3, 8, 8});
  test::Rig<Reference> rig;
  auto& program = rig.add(g, {.keep = {g.find_edge("block")}});
  test::fill(rig.store, 1);
  test::forward(program, test::random_batch(g, 1), {});
  CHECK(program.read("block").size() == 3 * 4 * 8 * 8);
  CHECK(program.read("fc") == program.read(g.outputs[0]));
  CHECK(program.batch() == 3);
  CHECK_THROWS_WITH_AS(
      program.read("mixture"),
      "the memory of \"mixture\" has been used again after it was read; name it in `keep` to look at it", Error);
  CHECK_THROWS_WITH_AS(program.read("mixtur"),
                       "there is no value named \"mixtur\"; names are those given in wire(), joined by dots", Error);
  CHECK(program.routing("mixture").rows == 3);
  CHECK_THROWS_WITH_AS(program.routing("block"), "there is no mixture named \"block\"; this network has: mixture",
                       Error);
}

TEST_CASE("program: programs of one store share parameters and memory, and follow when the memory grows") {
  const Graph small = record(Net{}, {2, 8, 8}), large = record(Net{}, {40, 8, 8});
  test::Rig<Reference> rig;
  auto& a = rig.add(small, {});
  test::fill(rig.store, 1);
  const auto batch = test::random_batch(small, 1), many = test::random_batch(large, 1);
  test::forward(a, batch, {});
  const auto y = a.read(small.outputs[0]);
  const auto bytes = rig.arena.bytes();
  auto& b = rig.add(large, {});
  CHECK(rig.arena.bytes() > bytes);
  test::forward(b, many, {});
  test::forward(a, batch, {});  // its pointers led to the old memory
  CHECK(a.read(small.outputs[0]) == y);
  CHECK(rig.arena.bytes() >= b.plan().arena_bytes);
  CHECK(rig.arena.bytes() < b.plan().arena_bytes + AlignedBuffer::alignment);
}

namespace {

/// Two programs of one arena, and what the first one may be asked for.
struct Shared {
  Graph small = record(Net{}, {2, 8, 8}), large = record(Net{}, {40, 8, 8});
  test::Rig<Reference> rig;
  Program& a =
      rig.add(small, {.training = true, .input_grad = true, .seeds = {small.outputs[0]}, .keep = {small.outputs[0]}});
  test::Batch batch = test::random_batch(small, 1), many = test::random_batch(large, 1);
  const StepContext step{.training = true, .noise_off = true};

  Shared() { test::fill(rig.store, 1); }
  void forward() {
    a.set_images(batch.images.data());
    a.forward(step);
  }
  /// The gradient of the images.
  std::vector<double> backward() {
    a.seed(small.outputs[0], batch.c.data());
    a.backward(step);
    std::vector<double> dx(batch.images.size());
    a.read_grad(small.input, dx.data());
    return dx;
  }
  /// Asks for everything that lies in the arena.
  void check_gone(const std::string& words) {
    std::vector<double> dx(batch.images.size());
    const auto says = [&](const auto& call) {
      try {
        call();
        FAIL_CHECK("no error");
      } catch (const Error& e) {
        CHECK(std::string(e.what()) == words);
      }
    };
    says([&] { a.read(small.outputs[0]); });
    says([&] { a.read("fc"); });
    says([&] { a.seed(small.outputs[0], batch.c.data()); });
    says([&] { a.backward(step); });
    says([&] { a.backward(small.nodes.size() - 1, step); });
    says([&] { a.read_grad(small.input, dx.data()); });
  }
};

const std::string what_to_do =
    "Make all programs before the first run, use the values of one before the next gets its images, or give this one "
    "its images and run forward() again";

}  // namespace

TEST_CASE("program: values that are gone since the memory grew are not read") {
  Shared s;
  s.forward();
  const auto y = s.a.read(s.small.outputs[0]);
  const auto dx = s.backward();
  s.forward();
  s.rig.add(s.large, {});
  s.check_gone(
      "the values of the training program for 2 images of 8 × 8 are gone: all programs of a model share the memory of "
      "activations, and the inference program for 40 images of 8 × 8 was made or given images since. " +
      what_to_do);
  // Images given before that are gone, too.
  CHECK_THROWS_AS(s.a.forward(s.step), Error);
  // With its images once more it runs in the memory that is there now.
  test::poison(s.rig.arena);
  s.forward();
  CHECK(s.a.read(s.small.outputs[0]) == y);
  CHECK(s.backward() == dx);
}

TEST_CASE("program: another program's values are not read") {
  Shared s;
  auto& b = s.rig.add(s.large, {});
  s.forward();
  const auto y = s.a.read(s.small.outputs[0]);
  b.set_images(s.many.images.data());
  const std::string gone =
      "the values of the training program for 2 images of 8 × 8 are gone: all programs of a model share the memory of "
      "activations, and the inference program for 40 images of 8 × 8 was made or given images since. " +
      what_to_do;
  s.check_gone(gone);
  b.forward({});
  s.check_gone(gone);
  CHECK(b.read(s.large.outputs[0]).size() == 400);
  CHECK(b.read("fc") == b.read(s.large.outputs[0]));
  s.a.set_images(s.batch.images.data());
  CHECK_THROWS_AS(b.read("fc"), Error);
  s.a.forward(s.step);
  CHECK(s.a.read(s.small.outputs[0]) == y);

  // Images are values as well: those of the other program would be taken for them.
  s.a.set_images(s.batch.images.data());
  b.set_images(s.many.images.data());
  try {
    s.a.forward(s.step);
    FAIL_CHECK("ran on the images of another program");
  } catch (const Error& e) {
    CHECK(std::string(e.what()).find("the images of the training program for 2 images") == 0);
  }
  // Values outside the arena stay.
  CHECK(s.a.routing("mixture").rows == 2);
}

TEST_CASE("program: a program that fits into the memory leaves the values there") {
  Shared s;
  auto& b = s.rig.add(s.large, {});
  s.forward();
  const auto y = s.a.read(s.small.outputs[0]);
  s.rig.add(s.small, {});
  CHECK(s.a.read(s.small.outputs[0]) == y);
  s.backward();
  // The owner may be gone itself.
  s.rig.add(s.small, {}).set_images(s.batch.images.data());
  s.rig.programs.pop_back();
  CHECK_THROWS_AS(s.a.read("fc"), Error);
  CHECK_THROWS_AS(b.read("fc"), Error);
}

#ifndef MOECNN_SANITIZED  // which would rather stop the program
TEST_CASE("program: where the memory could not grow, values are gone and the next run has memory again") {
  Shared s;
  s.forward();
  const auto y = s.a.read("fc");
  CHECK_THROWS_AS(s.rig.arena.reserve(std::size_t(1) << 60), Error);
  CHECK_THROWS_AS(s.a.read("fc"), Error);
  CHECK_THROWS_AS(s.a.backward(s.step), Error);
  s.forward();
  CHECK(s.a.read("fc") == y);
}
#endif

TEST_CASE("program: a pass that failed leaves no values to read") {
  Shared s;
  s.forward();
  CHECK_THROWS_AS(s.a.forward({.training = true, .fixed_expert = 9}), Error);  // there are fewer experts
  CHECK_THROWS_WITH_AS(
      s.a.read("fc"),
      "the training program for 2 images of 8 × 8 has images but no values yet; call forward() after set_images()",
      Error);
}

TEST_CASE("program: what was never run is not read") {
  Shared s;
  s.check_gone("the training program for 2 images of 8 × 8 has no images yet; call set_images() before forward()");
  CHECK_THROWS_AS(s.a.forward(s.step), Error);
  s.a.set_images(s.batch.images.data());
  CHECK_THROWS_WITH_AS(
      s.a.read("fc"),
      "the training program for 2 images of 8 × 8 has images but no values yet; call forward() after set_images()",
      Error);
}

TEST_CASE("program: in inference a row's result does not depend on the rest of the batch") {
  const Graph one = record(Net{}, {1, 8, 8}), many = record(Net{}, {7, 8, 8});
  test::Rig<Reference> rig;
  auto& a = rig.add(one, {});
  auto& b = rig.add(many, {});
  test::fill(rig.store, 1);
  const auto batch = test::random_batch(many, 1);
  test::forward(b, batch, {});
  const auto all = b.read(many.outputs[0]);
  for (std::size_t r = 0; r < 7; ++r) {
    test::Batch single = batch;
    single.images.assign(batch.images.begin() + r * 192, batch.images.begin() + (r + 1) * 192);
    test::forward(a, single, {});
    const auto y = a.read(one.outputs[0]);
    CHECK(test::distance(y, {all.begin() + r * 10, all.begin() + (r + 1) * 10}) < 1e-14);
  }
}

TEST_CASE("program: the training step of a whole network has the gradients of its loss") {
  for (const char* balance : {"none", "importance"})
    CHECK(test::check_graph(with_loss(record(Net{{.router = top(2), .balance = balance::by_name(balance)}}, {5, 6, 6})),
                            {.elements = 1, .inference = false}) == "");
}

TEST_CASE("program: gradients at edges in the middle can be given and live until they are read") {
  Graph g = record(test::Alone<ResStage<4, 4>>{}, {2, 4, 4});
  const int middle = g.find_edge("layer.0");
  test::Rig<Reference> rig;
  auto& program = rig.add(g, {.training = true, .input_grad = true, .seeds = {g.outputs[0], middle}});
  auto& plain = rig.add(g, {.training = true, .input_grad = true, .seeds = {g.outputs[0]}});
  auto& front = rig.add(g, {.training = true, .input_grad = true, .seeds = {middle}});
  test::fill(rig.store, 1);
  const auto batch = test::random_batch(g, 1);
  const auto other = test::random_numbers(1, "middle", batch.c.size());
  const StepContext step{.training = true};
  const auto gradient = [&](auto& p, bool last, bool mid) {
    test::poison(rig.arena);
    test::forward(p, batch, step);
    if (last) p.seed(g.outputs[0], batch.c.data());
    if (mid) p.seed(middle, other.data());
    p.backward(step);
    std::vector<double> dx(batch.images.size());
    p.read_grad(g.input, dx.data());
    return dx;
  };
  const auto both = gradient(program, true, true);
  auto sum = gradient(plain, true, false);
  const auto second = gradient(front, false, true);
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += second[i];
  CHECK(test::distance(both, sum) < 1e-13);
}

TEST_CASE("program: an inference program does not train") {
  const Graph g = record(Net{}, {2, 8, 8});
  test::Rig<Reference> rig;
  auto& program = rig.add(g, {});
  CHECK_THROWS_WITH_AS(program.forward({.training = true}),
                       "this program was made for inference; run the model's training program", Error);
}
