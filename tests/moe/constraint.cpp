#include "moecnn/moe/constraint.hpp"

#include "routing_fixture.hpp"

#include <doctest/doctest.h>

using namespace routing_test;
using doctest::Approx;

namespace {

constexpr RouterOpts plain{};  // learned noise, which an active constraint must switch off

/// Logits under which row i prefers the experts in the order of wishes[i], the first two of them equally.
Matrix wish(int experts, std::initializer_list<std::vector<int>> wishes) {
  Matrix z(static_cast<int>(wishes.size()), experts);
  z.fill(-9);
  int r = 0;
  for (const auto& order : wishes) {
    for (std::size_t i = 0; i < order.size(); ++i) z(r, order[i]) = i < 2 ? 5.0 : 3.0 - static_cast<double>(i / 4);
    ++r;
  }
  return z;
}

std::vector<int> barred(const Routing& r) { return {r.barred.begin(), r.barred.end()}; }
using Ints = std::vector<int>;
using Doubles = std::vector<double>;

}  // namespace

TEST_CASE("relative importance, batch by batch") {
  auto b = bench(TopK<2, plain>{}, 4, balance::None{}, constraint::RelativeImportance{});
  CHECK(b.policy->state().size() == 1);
  CHECK(b.policy->state()[0].name == "relative_importance");
  CHECK_FALSE(b.policy->wants_noise());

  // I = (1.5, 1, 1, 0.5), R = (0.5, 0, 0, -0.5): exactly at the limit is not above it.
  const Matrix lean = wish(4, {{0, 1}, {0, 2}, {0, 3}, {1, 2}});
  CHECK(b(lean).importance == Doubles{1.5, 1, 1, .5});
  CHECK(b.state == Doubles{.5, 0, 0, -.5});
  CHECK(barred(b(lean)) == Ints{0, 0, 0, 0});
  CHECK(b.state == Doubles{1, 0, 0, -1});

  // Now 0 is barred; rows that want {0, 1} with 2 and 3 next get 1 and, of two equals, 2.
  const Matrix both = wish(4, {{0, 1, 2, 3}, {0, 1, 2, 3}, {0, 1, 2, 3}, {0, 1, 2, 3}});
  CHECK(barred(b(both)) == Ints{1, 0, 0, 0});
  CHECK(b.routing.load == Ints{0, 4, 4, 0});
  CHECK(b.state[0] == 0);                     // a barred expert loses exactly 1
  const double w = 1 / (1 + std::exp(-2.0));  // logits 5 and 3
  CHECK(b.state[1] == Approx(4 * w - 1));
  CHECK(b.state[2] == Approx(4 * (1 - w) - 1));
  CHECK(std::abs(b.state[0] + b.state[1] + b.state[2] + b.state[3]) < 1e-12);

  // 1 is above the limit, the others are free again.
  CHECK(barred(b(both)) == Ints{0, 1, 0, 0});
  CHECK(b.routing.load == Ints{4, 0, 4, 0});
}

TEST_CASE("relative importance: duty cycle, N - 1 barred, shortage") {
  auto b = bench(TopK<2, plain>{}, 4, balance::None{}, constraint::RelativeImportance{});
  b.state = {.6, .6, .6, -1.8};
  const Matrix all = wish(4, {{0, 1, 2, 3}, {2, 1, 0, 3}});
  CHECK(barred(b(all)) == Ints{1, 1, 1, 0});
  CHECK(b.routing.importance == Doubles{0, 0, 0, 2});  // weights (1, 0): the filler does not run
  CHECK(b.routing.load == Ints{0, 0, 0, 2});
  CHECK(b.routing.row_slots == Ints{0, -1, 1, -1});
  CHECK(b.state[0] == Approx(-.4));
  CHECK(b.state[3] == Approx(1.2));  // the largest step is N - 1
  CHECK(barred(b(all)) == Ints{0, 0, 0, 1});
  CHECK(b.state[3] == Approx(.2));

  auto three = bench(TopK<3, plain>{}, 4, balance::None{}, constraint::RelativeImportance{});
  three.state = {.6, .6, -.6, -.6};
  three(wish(4, {{0, 1, 2, 3}}));
  CHECK(three.routing.load == Ints{0, 0, 1, 1});
  CHECK(three.routing.weights(0, 2) == Approx(.5));
}

TEST_CASE("mean importance, batch by batch") {
  auto b = bench(TopK<2, plain>{}, 4, balance::None{}, constraint::MeanImportance{});
  REQUIRE(b.policy->state().size() == 2);
  CHECK(b.policy->state()[0].name == "mean_importance");
  CHECK(b.policy->state()[1].name == "steps");
  CHECK(b.state.size() == 5);

  Matrix z = rows_of({{std::log(3.0), 0, -9, -10}, {std::log(3.0), 0, -9, -10}});  // weights (3/4, 1/4)
  const double w = 1 / (1 + std::exp(-9.0));                                       // experts 1 and 2 when 0 is barred
  CHECK(barred(b(z)) == Ints{0, 0, 0, 0});
  CHECK(b.state[0] == Approx(.75));
  CHECK(b.state[4] == 1);
  CHECK(barred(b(z)) == Ints{1, 0, 0, 0});  // 0.75 - 0.25 > 0.3
  CHECK(b.state[0] == Approx(.375));
  CHECK(b.state[1] == Approx((.25 + w) / 2));
  CHECK(barred(b(z)) == Ints{0, 1, 0, 0});  // 0.62 - 0.25 > 0.3
  CHECK(b.state[4] == 3);
  CHECK(b.state[0] == Approx((.75 + w) / 3).epsilon(1e-3));
  CHECK(b.state[0] + b.state[1] + b.state[2] + b.state[3] == Approx(1));
}

TEST_CASE("mean importance bars at most one of 4 and two of 10 experts") {
  for (const auto& [n, most] : {std::pair{4, 1}, {10, 2}}) {
    auto b = bench(TopK<dynamic>{.k = 2}, n, balance::None{}, constraint::MeanImportance{});
    int seen = 0;
    for (int step = 0; step < 50; ++step) {
      Matrix z = random_matrix(8, n, step);
      for (int r = 0; r < 8; ++r) z(r, step / 7 % n) += 9;
      int count = 0;
      for (int bar : barred(b(z))) count += bar;
      seen = std::max(seen, count);
    }
    CHECK(seen >= 1);
    CHECK(seen <= most);
  }
}

TEST_CASE("evaluation neither bars nor counts; analysis does not count") {
  for (const char* name : {"relative", "mean"}) {
    auto b = bench(TopK<2>{}, 4, balance::None{}, constraint::by_name(name));
    b.state[0] = 5;
    const auto before = b.state;
    b.context.training = false;
    b(wish(4, {{0, 1}}));
    CHECK(b.routing.load == Ints{1, 1, 0, 0});
    b.context.training = true;
    b.context.fixed_expert = 0;
    b(wish(4, {{0, 1}}));
    CHECK(b.routing.load == Ints{1, 0, 0, 0});
    CHECK(b.state == before);
  }
}

TEST_CASE("all experts barred frees all; a row left with nothing but barred experts ignores the bar") {
  auto b = bench(TopK<2>{}, 2, balance::None{}, constraint::RelativeImportance{.limit = -1});
  CHECK(barred(b(rows_of({{1, 0}}))) == Ints{0, 0});
  CHECK(b.routing.load == Ints{1, 1});

  constexpr double inf = std::numeric_limits<double>::infinity();
  for (Weights weights : {Weights::renormalised, Weights::raw}) {
    auto c = bench(TopK<dynamic>{.k = 2, .weights = weights}, 3, balance::None{}, constraint::RelativeImportance{});
    c.state = {.6, .6, -1.2};
    c(rows_of({{1, -inf, -inf}, {1, 1, 1}}));
    CHECK(c.routing.importance == Doubles{1, 0, 1});
  }
}

TEST_CASE("constraints by name; the run-time form does the same, bit for bit") {
  CHECK_FALSE(constraint::by_name("none").active);
  CHECK(constraint::by_name("mean").active);
  CHECK_THROWS_WITH_AS(constraint::by_name("hard"), "no constraint is called 'hard'; choose none, relative or mean",
                       Error);
  auto a = bench(TopK<2>{}, 5, balance::None{}, constraint::RelativeImportance{.limit = .2});
  auto b = bench(TopK<dynamic>{}, 5, balance::Any{}, constraint::by_name("relative", .2));
  for (int step = 0; step < 20; ++step) {
    const Matrix z = random_matrix(7, 5, step, 2);
    a(z), b(z);
    CHECK(same_bits(a.state, b.state));
    CHECK(same_bits(a.routing.weights.flat(), b.routing.weights.flat()));
  }
  CHECK_THROWS_AS((b.state.pop_back(), b(random_matrix(2, 5, 1))), Error);
}
