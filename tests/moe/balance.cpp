#include "moecnn/moe/balance.hpp"

#include "routing_fixture.hpp"

#include <doctest/doctest.h>

using namespace routing_test;
using doctest::Approx;

namespace {

/// Weight of each entry of a hand-made routing: rows sum to 1.
Matrix one_hot(int rows, int experts, auto pick) {
  Matrix m(rows, experts);
  m.fill(0);
  for (int r = 0; r < rows; ++r) m(r, pick(r)) = 1;
  return m;
}

template <class P>
double loss(P policy, const Matrix& weights) {
  Routing r = routing_of(weights);
  const double value = policy(r, r.balance_grad);
  CHECK(std::isfinite(value));
  for (int i = 0; i < r.rows; ++i)
    for (int e = 0; e < r.experts; ++e) {
      CHECK(std::isfinite(r.balance_grad.weight(i, e)));
      if (r.balance_grad.has_scores()) CHECK(std::isfinite(r.balance_grad.scores()(i, e)));
    }
  return value;
}

const char* const names[] = {"none", "importance", "kl", "switch", "entropy", "column-entropy", "variance", "z-loss"};

}  // namespace

TEST_CASE("reference values: one expert takes all") {
  for (int n : {2, 4, 10}) {
    const Matrix w = one_hot(8, n, [](int) { return 1; });
    CHECK(loss(balance::Importance{1}, w) == Approx(n));
    CHECK(loss(balance::Importance{1, balance::Of::dense}, w) == Approx(n));
    CHECK(loss(balance::KlDivergence{1}, w) == Approx(std::log(n)));
    CHECK(loss(balance::Switch{1}, w) == Approx(n - 1));
    CHECK(std::abs(loss(balance::Entropy{1}, w)) < 1e-12);
    CHECK(std::abs(loss(balance::ColumnEntropy{1}, w)) < 1e-12);
    CHECK(loss(balance::Variance{1}, w) == Approx(n));
  }
  const Matrix eight = one_hot(8, 4, [](int) { return 2; });
  CHECK(loss(balance::KlDivergence{1}, eight) == Approx(1.3863).epsilon(1e-4));
  CHECK(loss(balance::Importance{}, eight) == Approx(2));  // default weight 0.5
}

TEST_CASE("reference values: balance") {
  for (int n : {2, 4, 10}) {
    const Matrix hot = one_hot(3 * n, n, [n](int r) { return r % n; });
    CHECK(std::abs(loss(balance::Importance{1}, hot)) < 1e-12);
    CHECK(std::abs(loss(balance::KlDivergence{1}, hot)) < 1e-8);
    CHECK(std::abs(loss(balance::Switch{1}, hot)) < 1e-12);
    CHECK(loss(balance::ColumnEntropy{1}, hot) == Approx(-std::log(n)));
    CHECK(loss(balance::Entropy{1}, hot) == Approx(-std::log(n)));
    Matrix uniform(5, n);
    uniform.fill(1.0 / n);
    CHECK(std::abs(loss(balance::Entropy{1}, uniform)) < 1e-12);
    CHECK(loss(balance::Variance{1}, uniform) == Approx(1));
    CHECK(std::abs(loss(balance::Importance{1, balance::Of::dense}, uniform)) < 1e-12);
  }
}

TEST_CASE("hand-computed values between the extremes") {
  // I = (1.5, 0.5): mean 1, unbiased variance 0.5. P = (0.75, 0.25).
  const Matrix w = rows_of({{1, 0}, {.5, .5}});
  CHECK(loss(balance::Importance{1}, w) == Approx(0.5).epsilon(1e-9));
  CHECK(loss(balance::KlDivergence{1}, w) == Approx(.75 * std::log(1.5) + .25 * std::log(.5)).epsilon(1e-8));
  // Both rows are won by expert 0 (a tie goes to the lowest index): 2 · 0.75 - 1.
  CHECK(loss(balance::Switch{1}, w) == Approx(0.5));
  // Deviations of both columns are sqrt(0.125).
  CHECK(loss(balance::Variance{1}, w) == Approx(1.5 - std::sqrt(.125)));
}

TEST_CASE("z-loss: the mean squared log-sum-exp, its gradient, logits of minus infinity, and both of two losses") {
  Matrix z = rows_of({{0, 0}, {1, 2}});
  const double second = std::log(std::exp(1.0) + std::exp(2.0));
  const auto of = [](const Matrix& logits, auto policy) {
    Matrix scores = logits;
    for (int r = 0; r < logits.rows(); ++r) moecnn::detail::softmax(logits.row(r), scores.row(r));
    Routing routing = routing_of(scores);
    routing.logits = logits;
    const double loss = policy(routing, routing.balance_grad);
    return std::pair(loss, std::move(routing));
  };
  const auto [loss, routing] = of(z, balance::ZLoss{2});
  CHECK(loss == Approx(std::pow(std::log(2.0), 2) + second * second));
  for (int r = 0; r < 2; ++r)
    for (int e = 0; e < 2; ++e) {
      Matrix up = z, down = z;
      up(r, e) += 1e-6;
      down(r, e) -= 1e-6;
      const double quotient = (of(up, balance::ZLoss{2}).first - of(down, balance::ZLoss{2}).first) / 2e-6;
      CHECK(routing.balance_grad.logits()(r, e) == Approx(quotient).epsilon(1e-7));
    }
  CHECK_FALSE(routing.balance_grad.has_scores());

  z(0, 1) = -std::numeric_limits<double>::infinity();
  const auto barred = of(z, balance::ZLoss{2});
  CHECK(barred.first == Approx(second * second));  // of {0, -inf}: ln 1
  CHECK(barred.second.balance_grad.logits()(0, 1) == 0);

  const auto sum = of(rows_of({{3, 0}, {1, 2}}), balance::Both<balance::KlDivergence, balance::ZLoss>{});
  CHECK(sum.first == Approx(of(rows_of({{3, 0}, {1, 2}}), balance::KlDivergence{}).first +
                            of(rows_of({{3, 0}, {1, 2}}), balance::ZLoss{}).first));
}

TEST_CASE("no policy gives NaN or a loss for one expert, one row, or a weight of zero") {
  for (const char* name : names) {
    CAPTURE(name);
    CHECK(loss(balance::by_name(name), one_hot(6, 1, [](int) { return 0; })) == 0);
    loss(balance::by_name(name), one_hot(1, 4, [](int) { return 3; }));
    CHECK(loss(balance::by_name(name, 0.0), one_hot(5, 4, [](int r) { return r % 2; })) == 0);
  }
}

TEST_CASE("by_name gives the named policy with its weight, and lists the names otherwise") {
  const Matrix w = one_hot(8, 4, [](int r) { return r < 6; });
  CHECK(loss(balance::by_name("importance"), w) == loss(balance::Importance{}, w));
  CHECK(loss(balance::by_name("kl", 0.25), w) == loss(balance::KlDivergence{.weight = 0.25}, w));
  CHECK(loss(balance::by_name("switch"), w) == loss(balance::Switch{}, w));
  CHECK(loss(balance::Any{}, w) == 0);
  CHECK_THROWS_WITH_AS(
      balance::by_name("cv"),
      "no balance policy is called 'cv'; choose none, importance, kl, switch, entropy, column-entropy, "
      "variance or z-loss",
      Error);
}

TEST_CASE("policies add to the gradients that are there") {
  Routing r = routing_of(one_hot(4, 3, [](int i) { return i % 2; }));
  balance::Importance{}(r, r.balance_grad);
  const double once = r.balance_grad.weight(0, 0);
  balance::Importance{}(r, r.balance_grad);
  CHECK(r.balance_grad.weight(0, 0) == 2 * once);
  CHECK_FALSE(r.balance_grad.has_scores());
  r.balance_grad.start(4, 3);
  CHECK(r.balance_grad.weight(0, 0) == 0);
}
