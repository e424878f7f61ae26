#include "moecnn/train/schedule.hpp"

#include <doctest/doctest.h>

#include "io/scratch.hpp"

using namespace moecnn;
using schedule::When;

namespace {
double at(const schedule::Steps& s, int epoch) { return s({.epoch = epoch, .batch = 0, .batches = 391}); }
}  // namespace

TEST_CASE("the study's schedules, epoch by epoch") {
  for (int e = 0; e < 150; ++e) {
    CAPTURE(e);
    const double soft = e <= 80 ? 1e-3 : e < 120 ? 1e-4 : 1e-5;
    CHECK(at(schedule::cifar_soft(), e) == doctest::Approx(soft));
    CHECK(at(schedule::cifar_baseline(), e) == doctest::Approx(e <= 60 ? 1e-3 : e < 100 ? 1e-4 : 1e-5));
    CHECK(at(schedule::cifar_conv_soft(), e) == doctest::Approx(e < 20 ? 1e-5 + 4.95e-5 * e : soft));
    CHECK(at(schedule::cifar_hard(), e) == doctest::Approx(e < 20 ? 4.5e-5 * (e + 1) : soft));
    CHECK(at(schedule::cifar_hard(2), e) == doctest::Approx(2 * at(schedule::cifar_hard(), e)));
    // The rate does not change inside an epoch.
    CHECK(schedule::cifar_hard()({e, 390, 391}) == at(schedule::cifar_hard(), e));
  }
}

TEST_CASE("a schedule planned for 150 epochs, run in 5, changes after the same share of the training") {
  const auto soft = schedule::cifar_soft(1, 5);
  const int batches = 300;  // 1500 in all: ten for each planned epoch
  for (int b = 0; b < 5 * batches; ++b) {
    const int planned = b / 10;
    CAPTURE(b);
    CHECK(soft({b / batches, b % batches, batches}) == doctest::Approx(at(schedule::cifar_soft(), planned)));
  }
  const auto hard = schedule::cifar_hard(1, 5);
  CHECK(hard({0, 0, batches}) == doctest::Approx(4.5e-5));
  CHECK(hard({0, 199, batches}) == doctest::Approx(9e-4));
  CHECK(hard({0, 200, batches}) == doctest::Approx(1e-3));
}

TEST_CASE("cosine and poly") {
  const schedule::Cosine c{.base = 1, .least = 0.1, .epochs = 10};
  CHECK(c({0, 0, 4}) == doctest::Approx(1));
  CHECK(c({5, 0, 4}) == doctest::Approx(0.55));
  CHECK(c({12, 0, 4}) == doctest::Approx(0.1));
  const schedule::Poly p{.base = 2, .power = 0.9, .epochs = 10};
  CHECK(p({5, 2, 4}) == doctest::Approx(2 * std::pow(0.45, 0.9)));
  CHECK(p({10, 0, 4}) == 0);
  const schedule::Poly w{.base = 2, .power = 1, .epochs = 10, .warm_up_epochs = 2};
  CHECK(w({0, 0, 4}) == doctest::Approx(2.0 / 8));  // the first step counts
  CHECK(w({0, 3, 4}) == doctest::Approx(1));
  CHECK(w({2, 0, 4}) == doctest::Approx(2));
  CHECK(w({6, 0, 4}) == doctest::Approx(1));
}

TEST_CASE("a run-time choice, and its text") {
  AnySchedule s = schedule::Constant{0.25};
  CHECK(rate_at(s, {}) == 0.25);
  CHECK(text_of(s) == "constant 0.25");
  s = schedule::cifar_hard(1, 5);
  CHECK(
      text_of(s) ==
      "steps from 0.001 by 0.1 after epochs 80 119, warm-up 4.5e-05 + 4.5e-05 e for 20 epochs, 150 epochs planned run "
      "in 5");
}

TEST_CASE("a linear warm-up stands before every schedule and is PyTorch's LinearLR") {
  const std::vector<AnySchedule> all{schedule::Constant{0.5}, schedule::Steps{.base = 0.5, .last = {0}},
                                     schedule::Cosine{.base = 0.5, .epochs = 4},
                                     schedule::Poly{.base = 0.5, .epochs = 4}};
  for (const AnySchedule& plain : all) {
    CAPTURE(text_of(plain));
    const auto warmed = [&](schedule::LinearWarmUp w) {
      std::visit(
          [&](const auto& s) {
            if constexpr (!std::is_same_v<std::decay_t<decltype(s)>, schedule::LinearWarmUp>) w.then = s;
          },
          plain);
      return AnySchedule(w);
    };
    const AnySchedule steps = warmed({.steps = 6, .from = 0.001}), epochs = warmed({.epochs = 1.5, .from = 0.001});
    for (int i = 0; i < 16; ++i) {
      CAPTURE(i);
      const When w{i / 4, i % 4, 4};
      const double factor = i < 6 ? 0.001 + (1 - 0.001) * i / 6 : 1;
      CHECK(rate_at(steps, w) == doctest::Approx(factor * rate_at(plain, w)).epsilon(1e-14));
      CHECK(rate_at(epochs, w) == rate_at(steps, w));
      if (i >= 6) CHECK(rate_at(steps, w) == rate_at(plain, w));
    }
    CHECK(text_of(steps) == text_of(plain) + ", warm-up from a factor of 0.001 in 6 steps");
    CHECK(text_of(epochs) == text_of(plain) + ", warm-up from a factor of 0.001 in 1.5 epochs");
    verify(plain);
    verify(steps);
  }
  const auto bad = [](const schedule::LinearWarmUp& w) { return error_of([&] { verify(AnySchedule(w)); }); };
  CHECK(has(bad({}), "0 steps and 0 epochs; give one of the two"));
  CHECK(has(bad({.steps = 5, .epochs = 1}), "5 steps and 1 epochs; give one of the two"));
  CHECK(has(bad({.steps = -5}), "-5 steps"));
  CHECK(has(bad({.steps = 5, .from = 2}), "begins with a factor of 2"));
}
