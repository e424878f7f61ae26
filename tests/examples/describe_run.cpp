// The facts about a run in the reports of all example programs.
#include "../../examples/common/describe_run.hpp"

#include <doctest/doctest.h>

using namespace moecnn;

namespace {

report::TrainingReport described(const TrainResult& run, const std::string& command = "program train") {
  report::TrainingReport r;
  describe_run(r, run,
               {{{"batch", "8"}, {"backend", "reference"}},
                Sgd{},
                schedule::Cosine{.base = 0.1, .epochs = 2},
                command,
                "reference",
                0.5,
                true});
  return r;
}

std::string value(const std::vector<report::KeyValue>& pairs, const std::string& key) {
  for (const auto& p : pairs)
    if (p.key == key) return p.value;
  return {};
}

}  // namespace

TEST_CASE("the command of a resumed run is shown as that of a run from its start") {
  CHECK(from_the_start("p train --resume --out a") == "p train --out a");
  CHECK(from_the_start("p train --out a --resume") == "p train --out a");
  CHECK(from_the_start("p train --out a") == "p train --out a");
  CHECK(from_the_start("p train --resumed") == "p train --resumed");
  CHECK(described({}, "p train --resume").command == "p train");
}

TEST_CASE("a setting stands once, threads are those that there are, and clipping is shown where it was on") {
  const auto r = described({});
  CHECK(value(r.settings, "batch") == "8");
  CHECK(value(r.settings, "backend") == "");
  CHECK(value(r.environment, "backend") == "reference");
  CHECK(value(r.settings, "gradient clipping") == "norm at most 0.5");
  CHECK(std::stoi(value(r.environment, "threads")) >= 1);
  CHECK(r.curves.augmented);
}

TEST_CASE("the time of a run has a unit that fits, and the learning rate is the schedule's") {
  TrainResult run;
  const auto time = [&](double seconds) {
    run.seconds = seconds;
    return described(run).facts.at(0).value;
  };
  CHECK(time(16) == "16 s");
  CHECK(time(150) == "2.5 min");
  CHECK(time(9000) == "2.5 h");
  run.step = 20;
  run.epochs = {{.epoch = 0, .step = 10}, {.epoch = 1, .step = 20}};
  CHECK(described(run).curves.learning_rate.x.size() == 21);
  CHECK(described(run).facts.at(0).more == "20 steps");
}
