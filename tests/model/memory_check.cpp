#include "moecnn/model/memory_check.hpp"

#include "moe/mixture_nets.hpp"
#include "moecnn/model/model.hpp"
#include "moecnn/train/optimizer.hpp"

#include <doctest/doctest.h>

using namespace moecnn;

namespace {

std::string message(const auto& call) {
  try {
    call();
    return "no error";
  } catch (const Error& e) {
    return e.what();
  }
}
bool contains(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

struct Net {
  static constexpr int in = 3;
  int experts = 4;
  Value<6> wire(Recorder& g, Value<3> x) const {
    const auto y = g("layer1", BasicBlock<3, 16>{}, x);
    const auto z =
        g("mix", mixture_test::mixture<BasicBlock<16, 16>>({.experts = experts, .router = mixture_test::top(2)}), y);
    return g("fc", Linear<16, 6>{}, g.global_avg_pool(z));
  }
};
using Tested = Model<Net, backend::Reference<double>>;
constexpr Extent images{16, 12, 12};

/// Bytes that a model takes: parameters, gradients, activations.
struct Sizes {
  std::uint64_t values = 0, gradients = 0, arena = 0;
  Sizes() {
    Tested model(images, {.memory = MemoryLimit::none()});
    values = ParamStore::places(model.training().graph().params, {}).all;
    gradients = model.params().trained_bytes();
    arena = model.training().plan().arena_bytes;
  }
};

}  // namespace

TEST_CASE("too large a batch is refused with the sizes of all parts and the batch that would fit") {
  const Sizes s;
  const std::uint64_t little = s.values + s.gradients + s.arena / 2;
  const auto text = message([&] { Tested(images, {.memory = MemoryLimit::bytes(little)}); });
  CHECK(text ==
        formatted("the training program for 16 images of 12 × 12 needs {} of memory ({} for parameters, {} for "
                  "gradients, {} for activations), and {} are left; a batch of 8 would fit. (ModelOpts::memory = "
                  "MemoryLimit::none() switches this check off.)",
                  memory_text(s.values + s.gradients + s.arena), memory_text(s.values), memory_text(s.gradients),
                  memory_text(s.arena), memory_text(little)));
  Tested half({8, 12, 12}, {.memory = MemoryLimit::bytes(little)});  // as was said
  CHECK(half.training().batch() == 8);
  Tested all(images, {.memory = MemoryLimit::bytes(s.values + s.gradients + s.arena)});
  CHECK(all.training().batch() == 16);
}

TEST_CASE("where parameters alone do not fit, no batch is recommended") {
  const auto text = message([&] { Tested(images, {.memory = MemoryLimit::bytes(5000)}); });
  CHECK(
      contains(text, "and 0.0 MB are left; not even a batch of 1 would fit: choose fewer experts or narrower layers."));
  const auto one = message([&] { Tested({1, 12, 12}, {.memory = MemoryLimit::bytes(5000)}); });
  CHECK(contains(one, "and 0.0 MB are left; choose fewer experts or narrower layers."));
  const auto wide = message([&] { Tested(images, {.memory = MemoryLimit::bytes(2'000'000)}, Net{.experts = 1000}); });
  CHECK(contains(wide, "for parameters"));
  CHECK(contains(wide, "not even a batch of 1 would fit"));
}

TEST_CASE("a model that is there stays as it was when a further program does not fit") {
  const Sizes s;
  Tested model(images, {.memory = MemoryLimit::bytes(s.values + s.gradients + s.arena)});
  const auto batch = test::random_batch(model.recorded(), 1);
  auto& program = model.inference();
  test::forward(program, batch, {});
  const auto y = program.read(program.graph().outputs[0]);
  for (int twice = 0; twice < 2; ++twice) {
    const auto text = message([&] { model.inference(4000); });
    CHECK(contains(text, "the inference program for 4000 images of 12 × 12 needs "));
    CHECK_FALSE(contains(text, "weights with batch norms folded in"));  // those of the other program will do
    CHECK(contains(text, "would fit"));
    CHECK_FALSE(contains(text, "gradients"));
  }
  CHECK(program.read(program.graph().outputs[0]) == y);
}

TEST_CASE("a model for inference counts its parameters before there is a program") {
  const Sizes s;
  CHECK(contains(message([&] { Tested(images, {.training = false, .memory = MemoryLimit::bytes(s.values / 2)}); }),
                 "the network needs " + memory_text(s.values) + " of memory (" + memory_text(s.values) +
                     " for parameters), and "));
  CHECK(message([&] { Tested(images, {.training = false, .memory = MemoryLimit::bytes(s.values)}); }) == "no error");
}

TEST_CASE("the check can be switched off, and knows of memory that is given back") {
  CHECK(message([] { Tested(images, {.memory = MemoryLimit::none()}); }) == "no error");
  const MemoryNeed grows{.activations = 900, .given_back = 600, .images = 9};
  CHECK(message([&] { check_memory(grows, MemoryLimit::bytes(300), "it"); }) == "no error");
  const auto text = message([&] { check_memory(grows, MemoryLimit::bytes(200), "it"); });
  CHECK(contains(text, "a batch of 8 would fit"));
  const MemoryNeed shrinks{.activations = 600, .given_back = 900, .images = 9};
  CHECK(message([&] { check_memory(shrinks, MemoryLimit::bytes(0), "it"); }) == "no error");
}

TEST_CASE("the optimiser's moments count as well") {
  const Sizes s;
  Tested model(images, {.memory = MemoryLimit::bytes(s.values + s.gradients + s.arena)});
  CHECK(message([&] { Optimizer(Adam{}, model.params()); }) == "no error");
  model.params().limit_memory(MemoryLimit::bytes(s.gradients));
  CHECK(contains(message([&] { Optimizer(Adam{}, model.params()); }),
                 "needs " + memory_text(2 * s.gradients) + " of memory (" + memory_text(2 * s.gradients) +
                     " for the optimiser's moments), and " + memory_text(s.gradients) + " are left"));
  CHECK(message([&] { Optimizer(Sgd{.momentum = 0.9}, model.params()); }) == "no error");
}
