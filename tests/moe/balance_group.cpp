// Mixtures that route one by one and are balanced together.
#include "moe/mixture_nets.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using namespace mixture_test;
using test::check_net;

namespace {

/// One head, wired under one name on a map and on its pooled half, as detectors do.
template <class Mixture>
struct Levels {
  static constexpr int in = Mixture::in;
  Mixture head{};
  bool together = true;

  auto wire(Recorder& g, Value<in> x) const {
    if (!together) return heads(g, x);
    const auto group = g.balance_together();
    return heads(g, x);
  }
  auto heads(Recorder& g, Value<in> x) const {
    const auto fine = g("head", head, x);
    const auto coarse = g("head", head, g.max_pool(x, {.kernel = 2, .stride = 2}));
    return g.add(g.global_avg_pool(fine), g.global_avg_pool(coarse));
  }
};
template <class Mixture>
Levels(Mixture) -> Levels<Mixture>;
template <class Mixture>
Levels(Mixture, bool) -> Levels<Mixture>;

/// Runs a recorded graph once, in training.
struct Run {
  test::Rig<backend::Reference<double>> rig;
  Program& program;
  explicit Run(const Graph& g) : program(rig.add_training(g)) {
    test::fill(rig.store, 1);
    test::forward(program, test::random_batch(g, 1), {.training = true, .noise_off = true});
  }
};

}  // namespace

TEST_CASE("balance group: gradients for every balance policy and constraint") {
  for (const char* balance : {"importance", "kl", "switch", "entropy", "column-entropy", "variance", "z-loss"})
    for (const char* constraint : {"none", "relative", "mean"}) {
      CAPTURE(balance);
      CAPTURE(constraint);
      const Choice c{
          .router = top(2), .balance = balance::by_name(balance, 0.5), .constraint = constraint::by_name(constraint)};
      CHECK(check_net(Levels{mixture<ConvExpert>(c)}, {4, 4, 4}, {.elements = 1}) == "");
    }
}

TEST_CASE("balance group: one loss of all rows, as of one routing that has them all") {
  const Choice c{.router = top(2), .balance = balance::Importance{.weight = 0.5}};
  Run run(record(Levels{mixture<ConvExpert>(c)}, {5, 4, 4}));
  const auto& routings = run.program.routings();
  REQUIRE(routings.size() == 2);
  CHECK(routings[0].balance_loss == 0);
  std::vector<double> importance(routings[0].importance);
  for (std::size_t e = 0; e < importance.size(); ++e) importance[e] += routings[1].importance[e];
  const auto n = static_cast<double>(importance.size());
  double mean = 0, variance = 0;
  for (double v : importance) mean += v / n;
  for (double v : importance) variance += (v - mean) * (v - mean) / (n - 1);
  CHECK(routings[1].balance_loss == doctest::Approx(0.5 * variance / (mean * mean + 1e-10)));
  Run apart(record(Levels{mixture<ConvExpert>(c), false}, {5, 4, 4}));
  CHECK(apart.program.routings()[0].balance_loss > 0);
  CHECK(apart.program.routings()[0].slot_row == routings[0].slot_row);
}

TEST_CASE("balance group: a constraint goes on mixture by mixture, as without the group") {
  for (const constraint::Any& rule : {constraint::Any(constraint::MeanImportance{.limit = 0.01}),
                                      constraint::Any(constraint::RelativeImportance{.limit = 0.01})}) {
    const Choice c{.router = top(2), .constraint = rule};
    Run run(record(Levels{mixture<ConvExpert>(c)}, {5, 4, 4}));
    Run apart(record(Levels{mixture<ConvExpert>(c), false}, {5, 4, 4}));
    REQUIRE(run.rig.store.states().size() == apart.rig.store.states().size());
    for (int i = 0; i < static_cast<int>(run.rig.store.states().size()); ++i) {
      const auto a = run.rig.store.state(i), b = apart.rig.store.state(i);
      CHECK(std::vector<double>(a.begin(), a.end()) == std::vector<double>(b.begin(), b.end()));
      if (run.rig.store.states()[static_cast<std::size_t>(i)].name.ends_with("steps"))
        CHECK(a[0] == 5);  // filled with 3
    }
    for (const std::size_t level : {0, 1}) {
      CHECK(run.program.routings()[level].barred == apart.program.routings()[level].barred);
      CHECK(run.program.routings()[level].weights.flat().size() > 0);
    }
  }
}

TEST_CASE("balance group: mixtures of other policies or gates are refused, and so is a group in a group") {
  const auto with = [](double weight) {
    return mixture<ConvExpert>({.router = top(2), .balance = balance::Importance{.weight = weight}});
  };
  Graph graph;
  Recorder g(graph);
  const Value<decltype(with(1))::in> x{g.record(ops::Input{}, {}, decltype(with(1))::in, {2, 4, 4})};
  const auto group = g.balance_together();
  g("head", with(0.5), x);
  CHECK_THROWS_AS(g("head", with(0.25), x), Error);
  CHECK_THROWS_AS(g.balance_together(), Error);
}
