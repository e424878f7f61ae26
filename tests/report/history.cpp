#include "moecnn/report/history.hpp"

#include <doctest/doctest.h>

#include <stdexcept>

using namespace moecnn;

namespace {

/// Three steps and two epochs of two mixtures; only the second epoch was followed by a test.
TrainResult a_run() {
  TrainResult run;
  for (int i = 1; i <= 3; ++i) {
    StepRecord s{.step = i, .epoch = 0.5 * i, .loss = 10.0 * i, .balance_loss = 0.1 * i, .accuracy = 0.2 * i};
    s.lr = 0.01 * i, s.images_per_s = 100.0 * i;
    s.mixtures = {{.load = {1, 0}, .importance = {0.75, 0.25}}, {.load = {0.5, 0.25 * i}, .importance = {0, 1}}};
    run.steps.push_back(s);
  }
  run.epochs.resize(2);
  run.epochs[1].epoch = 1;
  run.epochs[1].test = TestRecord{.loss = 7, .top1 = 0.25};
  return run;
}

}  // namespace

TEST_CASE("every step is a point of every curve, and every test one at the end of its epoch") {
  const auto c = report::curves_of(a_run());
  CHECK(c.loss.x == std::vector<double>{0.5, 1, 1.5});
  CHECK(c.loss.y == std::vector<double>{10, 20, 30});
  CHECK(c.balance_loss.y.back() == doctest::Approx(0.3));
  CHECK(c.train_accuracy.y.back() == doctest::Approx(0.6));
  CHECK(c.learning_rate.y.back() == doctest::Approx(0.03));
  CHECK(c.images_per_second.y.back() == 300);
  CHECK(c.test_loss.x == std::vector<double>{2});
  CHECK(c.test_loss.y == std::vector<double>{7});
  CHECK(c.test_accuracy.y == std::vector<double>{0.25});
  CHECK(c.mean_iou.empty());
}

TEST_CASE("tests of label maps have a mean IoU") {
  TrainResult run = a_run();
  run.epochs[1].test->class_iou = {0.5, 0.75};
  run.epochs[1].test->mean_iou = 0.625;
  CHECK(report::curves_of(run).mean_iou.y == std::vector<double>{0.625});
}

TEST_CASE("the use of the experts goes to the mixture it belongs to") {
  report::MixtureReport r;
  report::add_history(r, a_run(), 1);
  CHECK(r.x == std::vector<double>{0.5, 1, 1.5});
  REQUIRE(r.load.size() == 3);
  CHECK(r.load[2] == std::vector<double>{0.5, 0.75});
  CHECK(r.importance[0] == std::vector<double>{0, 1});
  CHECK_THROWS_AS(report::add_history(r, a_run(), 2), std::out_of_range);
}
