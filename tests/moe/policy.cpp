#include "moecnn/moe/policy.hpp"

#include "routing_fixture.hpp"

#include <doctest/doctest.h>

#include <cstring>

using namespace routing_test;
using doctest::Approx;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

// Policies as a user writes them: a loss on the squared importance, and a rule that rests expert `step mod N`.
struct SquaredImportance {
  double operator()(const Routing& r, BalanceGrad& grad) const {
    double loss = 0;
    for (int e = 0; e < r.experts; ++e) {
      loss += r.importance[e] * r.importance[e];
      grad.importance()[e] += 2 * r.importance[e];
    }
    return loss;
  }
};

struct OneWeight {  // a loss on single weights
  double operator()(const Routing& r, BalanceGrad& grad) const {
    grad.weights()(0, 1) += 3 * r.weights(0, 1) * r.weights(0, 1);
    return r.weights(0, 1) * r.weights(0, 1) * r.weights(0, 1);
  }
};

struct TakeTurns {
  static constexpr bool active = true;
  std::vector<StateSpec> state(int) const { return {{"turn", 1}}; }
  void bar(std::span<const double> state, std::span<char> barred) const {
    barred[static_cast<std::size_t>(state[0]) % barred.size()] = 1;
  }
  void update(std::span<double> state, const Routing&) const { state[0] += 1; }
};

// A router of one's own: every expert above the row's mean logit, weighted equally; nothing to learn.
struct AboveMean {
  int k = 3;
  Noise noise = Noise::none;
  void verify(int, int, bool) const {}
  void choose(Routing& r) const {
    for (int row = 0; row < r.rows; ++row)
      for (int e = 0; e < r.experts; ++e) r.weights(row, e) = r.scores(row, e) > 1.0 / r.experts ? 0.5 : 0;
  }
  void backward(const Routing&, const Matrix&, Matrix&) const {}
};

static_assert(BalancePolicy<SquaredImportance> && BalancePolicy<balance::Any> && BalancePolicy<balance::None>);
static_assert(ConstraintPolicy<TakeTurns> && ConstraintPolicy<constraint::Any> && ConstraintPolicy<constraint::None>);
static_assert(Router<TopK<2>> && Router<TopK<dynamic>> && Router<AboveMean>);

/// Σ c · w + balance loss, and whether every choice keeps a margin that a small step cannot cross.
double loss_of(Bench& b, const Matrix& z, const Matrix& raw, const Matrix& c) {
  const auto state = b.state;
  b(z, raw);
  b.state = state;
  double loss = b.routing.balance_loss;
  for (std::size_t i = 0; i < c.flat().size(); ++i) loss += c.flat()[i] * b.routing.weights.flat()[i];
  return loss;
}

bool clear_choice(const Routing& r) {
  for (int row = 0; row < r.rows; ++row)
    for (int a = 0; a < r.experts; ++a)
      for (int b = 0; b < a; ++b)
        if (std::abs(r.logits(row, a) - r.logits(row, b)) < 1e-3) return false;
  return true;
}

/// Central differences of logits and noise scales against backward(); returns the largest relative difference.
double gradient_error(Bench b, int experts, int seed) {
  const int rows = 6;
  const Matrix c = random_matrix(rows, experts, seed + 1), raw = random_matrix(rows, experts, seed + 2);
  Matrix z = random_matrix(rows, experts, seed);
  b.context.noise = Rng(7, Purpose::gate_noise, static_cast<std::uint64_t>(seed));
  const auto state = b.state;
  b(z, raw);
  for (int again = 1; !clear_choice(b.routing); ++again)
    b.state = state, z = random_matrix(rows, experts, seed + 100 * again), b(z, raw);
  RoutingGrads grads;
  grads.weights = c;
  b.policy->backward(raw, b.context, b.routing, grads);
  b.state = state;

  double worst = 0;
  const auto differ = [&](Matrix& x, const Matrix& grad, auto loss) {
    for (std::size_t i = 0; i < x.flat().size(); ++i) {
      const double keep = x.flat()[i], h = 1e-5;
      x.flat()[i] = keep + h;
      const double up = loss();
      x.flat()[i] = keep - h;
      const double down = loss();
      x.flat()[i] = keep;
      worst = std::max(worst, off((up - down) / (2 * h), grad.flat()[i]));
    }
  };
  differ(z, grads.logits, [&] { return loss_of(b, z, raw, c); });
  Matrix scales = raw;
  differ(scales, grads.noise, [&] { return loss_of(b, z, scales, c); });
  double size = 0;
  for (double v : grads.logits.flat()) size += std::abs(v);
  CHECK(size > 1e-3);
  if (b.policy->wants_noise()) {
    size = 0;
    for (double v : grads.noise.flat()) size += std::abs(v);
    CHECK(size > 1e-3);
  }
  return worst;
}

}  // namespace

TEST_CASE("gradients of every router × balance × constraint against central differences") {
  const TopK<dynamic> routers[] = {{.k = 2},
                                   {.k = 3},
                                   {.k = 5},
                                   {.k = 2, .noise = Noise::none},
                                   {.k = 2, .weights = Weights::raw},
                                   {.k = 1, .weights = Weights::raw},
                                   {.k = 1, .weights = Weights::raw, .noise = Noise::none}};
  for (const auto& router : routers)
    for (const char* soft : {"none", "importance", "kl", "switch", "entropy", "column-entropy", "variance", "z-loss"})
      for (const char* hard : {"none", "relative", "mean"}) {
        CAPTURE(router.k);
        CAPTURE(int(router.weights));
        CAPTURE(int(router.noise));
        CAPTURE(soft);
        CAPTURE(hard);
        auto b = bench(router, 5, balance::by_name(soft, 0.7), constraint::by_name(hard));
        if (!b.state.empty()) b.state[1] = 0.8;  // expert 1 is barred
        CHECK(b.policy->wants_noise() == (router.noise == Noise::learned && hard == std::string("none")));
        CHECK(gradient_error(b, 5, 11) < 1e-6);
      }
  CHECK(gradient_error(bench(TopK<2>{}, 4, balance::Importance{.weight = 1, .of = balance::Of::dense}), 4, 3) < 1e-6);
  CHECK(gradient_error(bench(TopK<2>{}, 4, SquaredImportance{}, TakeTurns{}), 4, 5) < 1e-6);
  CHECK(gradient_error(bench(TopK<2>{}, 4, OneWeight{}), 4, 8) < 1e-6);
}

TEST_CASE("straight-through gradients are those of the loss linear in the chosen scores") {
  for (const char* soft : {"none", "importance", "kl"})
    for (const char* hard : {"none", "relative"}) {
      CAPTURE(soft);
      CAPTURE(hard);
      auto b = bench(TopK<1, RouterOpts{.weights = Weights::straight_through}>{}, 4, balance::by_name(soft),
                     constraint::by_name(hard));
      auto entry = bench(TopK<1, RouterOpts{.weights = Weights::raw}>{}, 4, balance::None{}, constraint::by_name(hard));
      if (!b.state.empty()) b.state[2] = entry.state[2] = 1;
      const Matrix z = random_matrix(5, 4, 21), raw = random_matrix(5, 4, 22);
      b(z, raw), entry(z, raw);
      RoutingGrads through, plain;
      through.weights = random_matrix(5, 4, 23);
      b.policy->backward(raw, b.context, b.routing, through);
      plain.weights = through.total;  // weights of 1 and balance gradients included, backward as raw
      entry.policy->backward(raw, entry.context, entry.routing, plain);
      for (std::size_t i = 0; i < z.flat().size(); ++i) {
        CHECK(off(through.logits.flat()[i], plain.logits.flat()[i]) < 1e-12);
        CHECK(off(through.noise.flat()[i], plain.noise.flat()[i]) < 1e-12);
      }
      for (double w : b.routing.slot_weight) CHECK(w == 1);
    }
}

TEST_CASE("tables: slots grouped by expert, rows ascending, everything consistent") {
  auto b = bench(TopK<2>{}, 3);
  const Routing& r = b(rows_of({{3, 2, 1}, {1, 2, 3}, {3, 1, 2}}), random_matrix(3, 3, 1, 0));
  auto quiet = bench(TopK<2>{}, 3);
  quiet.context.noise_off = true;
  const Routing& q = quiet(rows_of({{3, 2, 1}, {1, 2, 3}, {3, 1, 2}}));
  CHECK(q.offset == std::vector{0, 2, 4, 6});
  CHECK(q.slot_row == std::vector{0, 2, 0, 1, 1, 2});
  CHECK(q.row_slots == std::vector{0, 2, 3, 4, 1, 5});
  CHECK(q.load == std::vector{2, 2, 2});
  for (int e = 0; e < 3; ++e)
    for (int s = q.offset[e]; s < q.offset[e + 1]; ++s) CHECK(q.slot_weight[s] == q.weights(q.slot_row[s], e));
  CHECK(r.slots() == 6);
  CHECK(!same_bits(r.logits.flat(), q.logits.flat()));
}

TEST_CASE("learned noise: the formula, in training only, and only where it is wanted") {
  auto b = bench(TopK<2>{}, 4);
  CHECK(b.policy->wants_noise());
  const Matrix z = random_matrix(3, 4, 1), raw = random_matrix(3, 4, 2, 40);
  b.context.noise = Rng(5, Purpose::gate_noise, 9);
  b(z, raw);
  for (int r = 0; r < 3; ++r)
    for (int e = 0; e < 4; ++e) {
      const double x = raw(r, e) + 0.01, scale = x > 30 ? x : std::log1p(std::exp(x));
      CHECK(b.routing.logits(r, e) == Approx(z(r, e) + b.context.noise.normal(r * 4u + e) * scale));
    }
  CHECK_THROWS_AS(b(z), Error);  // scales are missing
  b.context.noise_off = true;
  CHECK(same_bits(b(z).logits.flat(), z.flat()));
  b.context.noise_off = false, b.context.training = false;
  CHECK(same_bits(b(z).logits.flat(), z.flat()));
  RoutingGrads grads;
  grads.weights = random_matrix(3, 4, 3);
  b.policy->backward({}, b.context, b.routing, grads);
  for (double v : grads.noise.flat()) CHECK(v == 0);
}

TEST_CASE("k at evaluation, fixed expert, equal weights") {
  auto b = bench(TopK<2>{}, 4, balance::Importance{});
  b.context.training = false;
  const Matrix z = random_matrix(5, 4, 1);
  for (int k = 1; k <= 4; ++k) {
    b.context.k = k;
    CHECK(b(z).slots() == 5 * k);
    CHECK(b.routing.k == k);
    CHECK(b.routing.balance_loss > 0);
  }
  b.context.k = 5;
  CHECK_THROWS_AS(b(z), Error);
  b.context.k = 1, b.context.training = true, b.context.noise_off = true;
  CHECK_THROWS_AS(b(z), Error);  // nothing would be learned
  b.context.k = 0, b.context.training = false;

  RoutingGrads grads;
  grads.weights = random_matrix(5, 4, 3);
  b.context.fixed_expert = 2;
  CHECK(b(z).load == std::vector{0, 0, 5, 0});
  CHECK(b.routing.slot_weight == std::vector<double>(5, 1.0));
  CHECK(b.routing.balance_loss == 0);
  b.policy->backward({}, b.context, b.routing, grads);
  for (double v : grads.logits.flat()) CHECK(v == 0);
  b.context.fixed_expert = 4;
  CHECK_THROWS_AS(b(z), Error);
  b.context.fixed_expert = -1, b.context.equal_weights = true;
  CHECK(b(z).slots() == 20);
  CHECK(b.routing.slot_weight == std::vector<double>(20, 0.25));
  b.policy->backward({}, b.context, b.routing, grads);
  for (double v : grads.logits.flat()) CHECK(v == 0);
  b.context.fixed_expert = 1;
  CHECK_THROWS_AS(b(z), Error);
}

TEST_CASE("bad numbers are refused with the row") {
  auto b = bench(TopK<2, RouterOpts{.noise = Noise::none}>{}, 3);
  const auto message = [&](const Matrix& z) {
    try {
      b(z);
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  CHECK(message(rows_of({{0, 1, 2}, {0, not_a_number, 1}})).find("row 1: the gate's logit of expert 1 is nan") == 0);
  CHECK(message(rows_of({{0, 1, std::numeric_limits<double>::infinity()}})).find("row 0") == 0);
  CHECK(message(rows_of({{0, 1}})).find("the gate gives 2 logits per row, but the layer has 3") == 0);
  CHECK(b(Matrix(0, 3)).slots() == 0);
}

TEST_CASE("one expert: weight 1, no loss, no gradient") {
  auto b = bench(TopK<1>{}, 1, balance::KlDivergence{});
  CHECK_FALSE(b.policy->wants_noise());
  b(rows_of({{3}, {-8}}));
  CHECK(b.routing.slot_weight == std::vector{1., 1.});
  CHECK(b.routing.balance_loss == 0);
  RoutingGrads grads;
  grads.weights = rows_of({{5}, {6}});
  b.policy->backward({}, b.context, b.routing, grads);
  CHECK(grads.logits(0, 0) == 0);
}

TEST_CASE("policies of the user's own, written above") {
  auto b = bench(TopK<2>{}, 3, SquaredImportance{}, TakeTurns{});
  CHECK_FALSE(b.policy->wants_noise());
  for (int step = 0; step < 6; ++step) {
    b(random_matrix(4, 3, step));
    CHECK(b.routing.load[step % 3] == 0);
    CHECK(b.routing.balance_loss > 0);
  }
  CHECK(b.state == std::vector{6.});

  auto own = bench(AboveMean{}, 6);
  own(rows_of({{2, 2, 0, 0, 0, 0}}));
  CHECK(own.routing.load == std::vector{1, 1, 0, 0, 0, 0});
  CHECK_THROWS_AS(own(rows_of({{2, 2, 2, 2, 0, 0}})), Error);  // four chosen, k = 3
}

TEST_CASE("same input, same bits; static and run-time forms agree; no memory moves at a smaller size") {
  auto a = bench(TopK<2>{}, 6, balance::KlDivergence{});
  auto b = bench(TopK<dynamic>{.k = 2}, 6, balance::by_name("kl"), constraint::by_name("none"));
  const Matrix z = random_matrix(32, 6, 4), raw = random_matrix(32, 6, 5);
  RoutingGrads sa, sb;
  sa.weights = sb.weights = random_matrix(32, 6, 6);
  a(z, raw);
  const void* const at[] = {a.routing.logits.flat().data(), a.routing.slot_row.data(), a.routing.row_slots.data(),
                            a.routing.slot_weight.data(), a.routing.balance_grad.importance().data()};
  a(random_matrix(9, 6, 1), random_matrix(9, 6, 2));
  a(z, raw), b(z, raw);
  const void* const now[] = {a.routing.logits.flat().data(), a.routing.slot_row.data(), a.routing.row_slots.data(),
                             a.routing.slot_weight.data(), a.routing.balance_grad.importance().data()};
  CHECK(std::memcmp(at, now, sizeof at) == 0);
  a.policy->backward(raw, a.context, a.routing, sa);
  b.policy->backward(raw, b.context, b.routing, sb);
  CHECK(a.routing.slot_row == b.routing.slot_row);
  CHECK(same_bits(a.routing.slot_weight, b.routing.slot_weight));
  CHECK(same_bits(sa.logits.flat(), sb.logits.flat()));
  CHECK(same_bits(sa.noise.flat(), sb.noise.flat()));
  CHECK(a.routing.balance_loss == b.routing.balance_loss);
}
