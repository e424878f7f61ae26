#include "moecnn/moe/router.hpp"

#include "routing_fixture.hpp"

#include <doctest/doctest.h>

using namespace routing_test;
using doctest::Approx;

namespace {
constexpr double inf = std::numeric_limits<double>::infinity();
constexpr RouterOpts quiet{.noise = Noise::none};
constexpr RouterOpts raw{.weights = Weights::raw, .noise = Noise::none};
constexpr RouterOpts through{.weights = Weights::straight_through, .noise = Noise::none};

Matrix logs(std::initializer_list<double> p) {
  Matrix m = rows_of({p});
  for (double& v : m.flat()) v = std::log(v);
  return m;
}

std::vector<double> row(const Matrix& m, int r = 0) { return {m.row(r).begin(), m.row(r).end()}; }
}  // namespace

TEST_CASE("which k and N go together is known at compile time") {
  static_assert(LegalRouting<TopK<2>, 4> && LegalRouting<TopK<4>, 4> && LegalRouting<TopK<1>, 1>);
  static_assert(!LegalRouting<TopK<5>, 4> && !LegalRouting<TopK<2>, 1>);
  static_assert(!LegalRouting<TopK<1>, 4>);
  static_assert(LegalRouting<TopK<1, raw>, 4> && LegalRouting<TopK<1, through>, 4>);
  static_assert(LegalRouting<TopK<dynamic>, 4> && LegalRouting<TopK<7>, dynamic> &&
                LegalRouting<TopK<dynamic>, dynamic>);
  static_assert(CheckRouting<TopK<2>, 4>::value && !LegalRouting<int, 4>);
  CHECK(TopK<3>::k == 3);
}

TEST_CASE("the same rules hold at run time") {
  const auto make = [](int k, Weights w, int n) {
    make_policy(TopK<dynamic>{k, w}, balance::None{}, constraint::None{}, n);
  };
  CHECK_NOTHROW(make(2, Weights::renormalised, 4));
  CHECK_NOTHROW(make(1, Weights::renormalised, 1));
  CHECK_THROWS_WITH_AS(make(5, Weights::raw, 4), "TopK: k is 5, but the layer has only 4 expert(s); set k to 1 … 4",
                       Error);
  CHECK_THROWS_AS(make(0, Weights::raw, 4), Error);
  CHECK_THROWS_WITH_AS(
      make(1, Weights::renormalised, 4),
      "k = 1 with renormalised weights: the weight of the one expert chosen is always 1, so the gate of 4 "
      "experts learns nothing; choose k = 2 or more (in code, TopK with Weights::raw or "
      "Weights::straight_through learns with k = 1, too)",
      Error);
  CHECK_THROWS_AS(make(2, Weights::straight_through, 4), Error);
  CHECK_THROWS_AS(make(1, Weights::raw, 0), Error);
}

TEST_CASE("weights in the captions of the detection figures") {
  const std::pair<Matrix, std::vector<double>> cases[] = {
      {logs({.44, .15, .19, .22}), {.67, 0, 0, .33}}, {logs({.29, .33, .21, .16}), {.47, .53, 0, 0}},
      {logs({.18, .15, .23, .44}), {0, 0, .35, .65}}, {logs({.46, .18, .18, .18}), {.71, .29, 0, 0}},
      {logs({.26, .24, .26, .23}), {.50, 0, .50, 0}},
  };
  for (const auto& [logits, expected] : cases) {
    auto b = bench(TopK<2, quiet>{}, 4);
    b(logits);
    for (int e = 0; e < 4; ++e) CHECK(std::abs(b.routing.weights(0, e) - expected[e]) < 0.011);
  }
}

TEST_CASE("softmax over the chosen logits is the full softmax renormalised") {
  auto two = bench(TopK<2, quiet>{}, 6), dense = bench(TopK<2, raw>{}, 6);
  const Matrix z = random_matrix(40, 6, 1, 3);
  two(z), dense(z);
  for (int r = 0; r < 40; ++r) {
    double sum = 0;
    for (int e = 0; e < 6; ++e) sum += dense.routing.weights(r, e);
    CHECK(sum < 1);
    for (int e = 0; e < 6; ++e) {
      CHECK(two.routing.weights(r, e) == Approx(dense.routing.weights(r, e) / sum).epsilon(1e-12));
      if (dense.routing.weights(r, e) > 0) CHECK(dense.routing.weights(r, e) == dense.routing.scores(r, e));
    }
  }
}

TEST_CASE("equal logits: the lowest index wins") {
  auto b = bench(TopK<2, quiet>{}, 5);
  CHECK(row(b(rows_of({{1, 1, 1, 1, 1}})).weights) == std::vector{.5, .5, 0., 0., 0.});
  CHECK(row(b(rows_of({{0, 2, 1, 1, 1}})).weights)[2] > 0);
  CHECK(row(b(rows_of({{0, 1, 1, 2, 1}})).weights)[1] > 0);
  CHECK(b.routing.load == std::vector{0, 1, 0, 1, 0});
  auto top1 = bench(TopK<1, through>{}, 3);
  CHECK(row(top1(rows_of({{-1, 4, 4}})).weights) == std::vector{0., 1., 0.});
}

TEST_CASE("-inf logits are never executed and leave no NaN") {
  auto b = bench(TopK<3, quiet>{}, 4);
  b(rows_of({{-inf, 0, -inf, 0}, {-inf, -inf, 7, -inf}, {1, 1, 1, -inf}}));
  CHECK(row(b.routing.weights, 0) == std::vector{0., .5, 0., .5});
  CHECK(row(b.routing.weights, 1) == std::vector{0., 0., 1., 0.});
  CHECK(row(b.routing.scores, 1) == std::vector{0., 0., 1., 0.});
  CHECK(b.routing.load == std::vector{1, 2, 2, 1});
  CHECK(b.routing.slots() == 6);
  CHECK(b.routing.row_slots == std::vector{1, 5, -1, 3, -1, -1, 0, 2, 4});
  CHECK_THROWS_WITH_AS(b(rows_of({{0, 0, 0, 0}, {-inf, -inf, -inf, -inf}})),
                       "row 1: the gate's logits of all 4 experts are -inf, so no expert may serve it; leave at least "
                       "one finite",
                       Error);
}

TEST_CASE("a chosen expert whose weight vanishes does not run") {
  for (double far : {-2000.0, -150.0}) {  // 0 in double, 0 only in float
    auto b = bench(TopK<2, quiet>{}, 3);
    b(rows_of({{0, far, far - 1}}));
    CHECK(row(b.routing.weights) == std::vector{1., 0., 0.});
    CHECK(b.routing.slots() == 1);
    CHECK(b.routing.row_slots == std::vector{0, -1});
  }
}

TEST_CASE("straight-through: weight one, gradient of the softmax over all experts") {
  auto b = bench(TopK<1, through>{}, 4);
  const Matrix z = random_matrix(6, 4, 3);
  b(z);
  RoutingGrads grads;
  grads.weights = random_matrix(6, 4, 4);
  b.policy->backward({}, b.context, b.routing, grads);
  for (int r = 0; r < 6; ++r) {
    int best = 0;
    for (int e = 1; e < 4; ++e) best = z(r, e) > z(r, best) ? e : best;
    CHECK(b.routing.weights(r, best) == 1);
    for (int e = 0; e < 4; ++e) {
      const double s = b.routing.scores(r, e), top = b.routing.scores(r, best);
      CHECK(off(grads.logits(r, e), grads.weights(r, best) * top * ((e == best) - s)) < 1e-12);
    }
  }
}
