#include "moecnn/moe/stats.hpp"

#include "routing_fixture.hpp"

#include <doctest/doctest.h>

using namespace routing_test;
using doctest::Approx;

TEST_CASE("importance, load, shares and their variation over several batches") {
  RoutingStats s;
  CHECK(s.living() == 0);
  CHECK(s.load_cv() == 0);
  s.add(routing_of(rows_of({{1, 0, 0}, {.5, .5, 0}})));
  s.add(routing_of(rows_of({{.75, .25, 0}})));
  CHECK(s.rows() == 3);
  CHECK(s.batches() == 2);
  CHECK(s.importance() == std::vector{2.25, .75, 0.});
  CHECK(s.load() == std::vector{3., 2., 0.});
  CHECK(s.importance_share() == std::vector{.75, .25, 0.});
  CHECK(s.load_share()[1] == Approx(.4));
  CHECK(s.mean_weight(0) == .75);
  // population deviation: means 1 and 5/3
  CHECK(s.importance_cv() == Approx(std::sqrt((1.25 * 1.25 + .25 * .25 + 1) / 3)));
  CHECK(s.load_cv() == Approx(std::sqrt((16. + 1 + 25) / 9 / 3) / (5. / 3)));
  CHECK(s.entropy() == Approx(-(.75 * std::log(.75) + .25 * std::log(.25)) / std::log(3)));
  CHECK(s.concentration() == .75);
  CHECK(s.concentration(2) == 1);
  CHECK(s.dead() == std::vector{2});
  CHECK_THROWS_AS(s.add(routing_of(rows_of({{1, 0}}))), Error);
  s.reset();
  CHECK(s.rows() == 0);
  s.add(routing_of(rows_of({{1, 0}})));
  CHECK(s.experts() == 2);
}

TEST_CASE("an expert lives above one percent, after rounding to four decimals") {
  RoutingStats s;
  s.add(routing_of(rows_of({{.01004, .01006, .0099, 1 - .01004 - .01006 - .0099}})));
  CHECK(s.dead() == std::vector{0, 2});
  CHECK(s.living() == 2);
}

TEST_CASE("entropy and concentration at the extremes") {
  RoutingStats even, one, single;
  even.add(routing_of(rows_of({{.25, .25, .25, .25}})));
  one.add(routing_of(rows_of({{0, 0, 1, 0}})));
  single.add(routing_of(rows_of({{1}})));
  CHECK(even.entropy() == Approx(1));
  CHECK(even.concentration() == .25);
  CHECK(even.importance_cv() == 0);
  CHECK(one.entropy() == 0);
  CHECK(one.concentration() == 1);
  CHECK(one.importance_cv() == Approx(std::sqrt(3.0)));
  CHECK(single.entropy() == 1);
}

TEST_CASE("the watch speaks of a dead expert once, and again after it came back and died") {
  RoutingWatch watch("layer4", {.patience = 5});
  const Routing idle = routing_of(rows_of({{.5, .5, 0, 0}, {.5, 0, .5, 0}}));
  const Routing busy = routing_of(rows_of({{.25, .25, .25, .25}}));
  for (int i = 0; i < 4; ++i) watch.add(idle);
  CHECK(watch.warnings().empty());
  watch.add(idle);
  const auto first = watch.warnings();
  REQUIRE(first.size() == 1);
  CHECK(first[0].find("layer4: expert 3 of 0 … 3 has served no row for 5 steps and") == 0);
  for (int i = 0; i < 20; ++i) watch.add(idle);
  CHECK(watch.warnings().empty());
  watch.add(busy);
  CHECK(watch.warnings() == std::vector<std::string>{"layer4: expert 3 of 0 … 3 serves rows again."});
  watch.add(busy);
  watch.add(idle);
  watch.add(busy);  // was away for less than its patience
  CHECK(watch.warnings().empty());
  Routing barred = idle;
  barred.barred = {0, 0, 0, 1};
  for (int i = 0; i < 5; ++i) watch.add(i < 3 ? barred : idle);
  const auto second = watch.warnings();
  REQUIRE(second.size() == 1);
  CHECK(second[0].find("barred it in 3 of them") != std::string::npos);
}

TEST_CASE("one step is no steps") {
  RoutingWatch watch("layer4", {.patience = 1});
  watch.add(routing_of(rows_of({{1, 0}})));
  const auto said = watch.warnings();
  REQUIRE(said.size() == 2);
  CHECK(said[0].find("has served no row for 1 step and") != std::string::npos);
  CHECK(said[1].find("over the last 1 step;") != std::string::npos);
}

TEST_CASE("the watch speaks of collapse onto one expert or onto the same k") {
  const auto run = [](const Matrix& w, int k) {
    RoutingWatch watch("gate", {.patience = 3, .collapse = .9});
    Routing r = routing_of(w);
    r.k = k;
    for (int i = 0; i < 9; ++i) watch.add(r);
    int collapses = 0;
    for (const auto& s : watch.warnings()) collapses += s.find("collapsed") != std::string::npos;
    return collapses;
  };
  CHECK(run(rows_of({{.96, .02, .02, 0}}), 2) == 1);
  CHECK(run(rows_of({{.5, .48, .02, 0}}), 2) == 1);
  CHECK(run(rows_of({{.5, .3, .2, 0}}), 2) == 0);
  CHECK(run(rows_of({{.5, .5, 0}}), 2) == 0);  // two of three is what k = 2 does
  CHECK(run(rows_of({{1}}), 1) == 0);
  CHECK_THROWS_AS(RoutingWatch("x", {.patience = 0}), Error);
  CHECK(WatchOpts::of_epoch(.25, 400).patience == 100);
  CHECK(WatchOpts::of_epoch(.25, 8).patience == 10);
}
