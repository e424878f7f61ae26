#include "moecnn/report/history.hpp"

#include <doctest/doctest.h>

#include <limits>
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
  run.epochs[0].step = 2, run.epochs[0].loss = 15;
  run.epochs[1].step = 4, run.epochs[1].loss = 35;
  run.epochs[1].epoch = 1;
  run.epochs[1].test = TestRecord{.loss = 7, .scores = {{"top1", 0.25}}};
  return run;
}

/// Records as the trainer makes them: every `log_steps` steps and at the end of every epoch. The accuracy of a record is
/// that of its steps: 1 in the last step of an epoch, 0.25 in all others. A step takes a second, the last one four.
TrainResult run_of(int epochs, int batches, int log_steps) {
  TrainResult run{.mixtures = {{"m", 2, 1}}};
  double right = 0, seconds = 0;
  int steps = 0;
  for (int s = 1; s <= epochs * batches; ++s) {
    const bool last = s % batches == 0;
    right += last ? 1 : 0.25, seconds += last ? 4 : 1, ++steps;
    if (last || s % log_steps == 0) {
      const double mean = right / steps;
      run.steps.push_back({s,
                           static_cast<double>(s) / batches,
                           mean,
                           mean,
                           mean,
                           1,
                           steps / seconds,
                           {{{mean, 1 - mean}, {1 - mean, mean}}}});
      right = seconds = 0, steps = 0;
    }
    if (last) run.epochs.push_back({.epoch = s / batches - 1, .step = s});
  }
  run.step = epochs * batches;
  return run;
}

}  // namespace

TEST_CASE("every step is a point of every curve, and every test one at the end of its epoch") {
  const auto c = report::curves_of(a_run());
  CHECK(c.loss.x == std::vector<double>{0.5, 1, 1.5});
  CHECK(c.loss.y == std::vector<double>{10, 20, 30});
  CHECK(c.balance_loss.y.back() == doctest::Approx(0.3));
  CHECK(c.train_accuracy.y.back() == doctest::Approx(0.6));
  CHECK(c.learning_rate.empty());
  CHECK(c.images_per_second.y.back() == 300);
  CHECK(c.test_loss.x == std::vector<double>{2});
  CHECK(c.test_loss.y == std::vector<double>{7});
  CHECK(c.test_accuracy.y == std::vector<double>{0.25});
  CHECK(c.mean_iou.empty());
}

TEST_CASE("tests of label maps have a mean IoU") {
  TrainResult run = a_run();
  run.epochs[1].test->scores = {{"mean_iou", 0.625}};
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

TEST_CASE("a record of one step at the end of an epoch is no point of its own") {
  for (const int batches : {21, 19, 20, 22}) {
    CAPTURE(batches);
    const auto c = report::curves_of(run_of(6, batches, 20));
    REQUIRE(c.train_accuracy.x.size() >= 6);
    for (std::size_t i = 1; i < c.train_accuracy.x.size(); ++i)
      CHECK(batches * (c.train_accuracy.x[i] - c.train_accuracy.x[i - 1]) >= 9.9);
  }
  const auto c = report::curves_of(run_of(3, 21, 20));  // records of 20, 1; 19, 2; 18, 3 steps
  const double mean = (1 + 20 * 0.25) / 21;
  CHECK(c.train_accuracy.x == std::vector<double>{1, 2, 3});
  for (const auto* curve : {&c.train_accuracy, &c.loss, &c.balance_loss})
    for (double v : curve->y) CHECK(v == doctest::Approx(mean));
  for (double v : c.images_per_second.y) CHECK(v == doctest::Approx(21.0 / 24));  // images over seconds
}

TEST_CASE("whatever way records are joined, their mean over the steps stays") {
  for (const int log_steps : {1, 2, 3, 5, 7, 20, 50}) {
    CAPTURE(log_steps);
    const auto points = report::points_of(run_of(4, 23, log_steps));
    double sum = 0, before = 0;
    for (const auto& p : points) sum += p.accuracy * (static_cast<double>(p.step) - before), before = p.step;
    CHECK(sum == doctest::Approx(4 * (1 + 22 * 0.25)));
  }
}

TEST_CASE("the use of the experts is joined like the curves") {
  report::MixtureReport r;
  report::add_history(r, run_of(3, 21, 20), 0);
  const double mean = (1 + 20 * 0.25) / 21;
  CHECK(r.x == std::vector<double>{1, 2, 3});
  for (const auto& row : r.load) CHECK(row[0] == doctest::Approx(mean));
  for (const auto& row : r.importance) CHECK(row[0] == doctest::Approx(1 - mean));
}

TEST_CASE("a log that begins late or says impossible things is drawn as far as it goes") {
  TrainResult late = run_of(10, 21, 20);
  late.steps.erase(late.steps.begin(), late.steps.begin() + 15);
  const auto c = report::curves_of(late);
  REQUIRE(c.loss.x.size() >= 2);
  for (double v : c.loss.y) CHECK(v < 0.4);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  TrainResult wild = run_of(2, 21, 20);
  wild.steps[0].epoch = nan, wild.steps[1].loss = nan, wild.steps[2].step = -5, wild.step = 1ll << 60;
  const auto w = report::curves_of(wild, schedule::Constant{});
  CHECK(w.loss.x.size() <= 4);
  CHECK(w.learning_rate.x.size() <= 2);
  CHECK(report::curves_of({}, schedule::Constant{}).learning_rate.empty());
}

TEST_CASE("the learning rate is the schedule's at every step, not the last one of a record") {
  const schedule::Steps steps{.base = 1, .last = {0}, .planned = 2, .epochs = 1};  // falls in the middle of the epoch
  const auto c = report::curves_of(run_of(1, 10, 20), steps);
  CHECK(c.learning_rate.x == std::vector<double>{0, 0.5, 1});
  REQUIRE(c.learning_rate.y.size() == 3);
  CHECK(c.learning_rate.y[0] == 1);
  CHECK(c.learning_rate.y[1] == doctest::Approx(0.1));
  CHECK(c.learning_rate.y[2] == doctest::Approx(0.1));

  const schedule::Cosine cosine{.base = 1, .epochs = 2, .warm_up_epochs = 0.3};
  const auto every = report::curves_of(run_of(2, 8, 20), cosine).learning_rate;
  REQUIRE(every.x.size() == 17);
  for (int s = 0; s < 16; ++s) {
    CHECK(every.x[s] == s / 8.0);
    CHECK(every.y[s] == cosine({s / 8, s % 8, 8}));
  }
  TrainResult long_run = run_of(1, 10, 20);
  long_run.step = 3'000'000;
  CHECK(report::curves_of(long_run, cosine).learning_rate.x.size() <= 100'001);
}

TEST_CASE("curves know the numbers of whole epochs") {
  const auto c = report::curves_of(a_run());
  CHECK(c.loss.epoch_x == std::vector<double>{1, 2});
  CHECK(c.loss.epoch_y == std::vector<double>{15, 35});
}

TEST_CASE("without a balance loss there is no curve of it") {
  TrainResult run = run_of(2, 10, 5);
  for (auto& s : run.steps) s.balance_loss = 0;
  CHECK(report::curves_of(run).balance_loss.empty());
  run.steps[2].balance_loss = -0.5;
  CHECK(report::curves_of(run).balance_loss.x.size() == 4);
}
