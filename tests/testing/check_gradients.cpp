#include "moecnn/testing/check_gradients.hpp"

#include "graph_runs.hpp"  // kernels that are compiled once

#include <doctest/doctest.h>

using namespace moecnn;
using namespace moecnn::testing;

namespace {

/// weight · Σ_e (I_e / B - 1 / N)²; its gradient is right where `factor` is 2.
struct SquaredShare {
  double factor = 2, weight = 1;

  double operator()(const Routing& r, BalanceGrad& grad) const {
    double loss = 0;
    for (int e = 0; e < r.experts; ++e) {
      const double gap = r.importance[e] / r.rows - 1.0 / r.experts;
      loss += weight * gap * gap;
      grad.importance()[e] += weight * factor * gap / r.rows;
    }
    return loss;
  }
};

/// A loss without a gradient.
struct Forgetful {
  double operator()(const Routing& r, BalanceGrad&) const { return r.importance[0] * r.importance[0]; }
};

/// A gradient that is no number.
struct Undefined {
  double operator()(const Routing& r, BalanceGrad& grad) const {
    grad.importance()[0] = std::numeric_limits<double>::quiet_NaN();
    return r.importance[0];
  }
};

/// Bars one expert after the other, whatever its state.
struct Restless {
  static constexpr bool active = true;
  std::shared_ptr<int> calls = std::make_shared<int>(0);
  std::vector<StateSpec> state(int experts) const { return {{"nothing", experts}}; }
  void bar(std::span<const double>, std::span<char> barred) const {
    barred[static_cast<std::size_t>(++*calls) % barred.size()] = 1;
  }
  void update(std::span<double>, const Routing&) const {}
};

struct Experts2 {
  static constexpr int in = 4, out = 3;
  Value<out> wire(Recorder& g, Value<in> x) const {
    return g("mixture", MoE<Conv<4, 3, ConvOpts{.kernel = 3, .pad = 1}>, 4>{}, g.relu(x));
  }
};

}  // namespace

TEST_CASE("layers, gates, policies and constraints of the library pass") {
  for (const GradientCheck& found :
       {check_layer(Experts2{}), check_gate(gate::ConvGapLinear{}), check_balance(balance::Importance{}),
        check_balance<3>(balance::Entropy{}), check_balance(SquaredShare{}),
        check_constraint(constraint::RelativeImportance{})}) {
    INFO(found.text());
    CHECK(found.ok());
    CHECK_FALSE(found.place.empty());
  }
}

TEST_CASE("a balance policy with a wrong gradient is found, however light it is") {
  for (const double weight : {1.0, 1e-3}) {
    const GradientCheck found = check_balance(SquaredShare{.factor = 1, .weight = weight});
    INFO(found.text());
    CHECK_FALSE(found.ok());
    CHECK(found.error == doctest::Approx(0.5).epsilon(1e-3));
    CHECK(found.gradient == doctest::Approx(found.quotient / 2).epsilon(1e-3));
    CHECK(found.text().find(found.place) != std::string::npos);
  }
  CHECK_FALSE(check_balance(SquaredShare{.factor = 2.00001}).ok());
  CHECK(check_balance(SquaredShare{.factor = 2.00001}, {.tolerance = 1e-4}).ok());
}

TEST_CASE("a forgotten gradient and one that is no number are found") {
  CHECK(check_balance(Forgetful{}).error == 1);
  const GradientCheck found = check_balance(Undefined{});
  CHECK(std::isinf(found.error));
  CHECK_FALSE(found.ok());
}

TEST_CASE("a constraint that bars by something else than its state is found") {
  CHECK_FALSE(check_constraint(Restless{}).ok());
}

TEST_CASE("without gradients there is nothing to check") {
  const GradientCheck found = check_layer(Experts2{}, {5, 6, 6}, {.only = "no such parameter"});
  CHECK(found.place.empty());
  CHECK(found.ok());
  CHECK(found.text() == "there is no gradient to check");
}
