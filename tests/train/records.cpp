#include "moecnn/train/records.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "io/scratch.hpp"
#include "moecnn/train/run_files.hpp"

using namespace moecnn;

TEST_CASE("records come back from metrics.jsonl as they were") {
  const Scratch out;
  const std::vector<MixtureInfo> mixtures{{"layer3", 2, 1}, {"layer4", 3, 2}};
  const std::vector<ExpertUse> use{{{0.25, 0.75}, {0.1, 0.9}}, {{1.0 / 3, 1.0 / 3, 1.0 / 3}, {0.2, 0.3, 0.5}}};
  {
    RunFiles files(out.dir() / "deep" / "run");
    CHECK_FALSE(files.open(Start::fresh));
    files.begin(mixtures, {{"net", "x"}});
    const StepRecord step{20, 0.5, 2.25, 0.125, 1.0 / 7, 1e-3, 812, use};
    files.log(detail::json_of(step, mixtures));
    EpochRecord epoch{0, 40, 2, std::nan(""), 0.25, 1e-3, 800, 12.5, use, {}};
    files.log(detail::json_of(epoch, mixtures));
    epoch.epoch = 1, epoch.step = 80;
    epoch.test = TestRecord{100, 1.5, {{"top1", 0.3}, {"top5", 0.6}}, use};
    files.log(detail::json_of(epoch, mixtures));
    files.log(io::Json::object({{"kind", "warning"}, {"step", 80}, {"text", "expert 1 …"}}));
    files.log(detail::json_of(StepRecord{100, 2.5, 1}, mixtures));
  }
  RunFiles files(out.dir() / "deep" / "run");
  const TrainResult r = files.resume(80, mixtures, {});  // steps after 80 are repeated
  CHECK(r.step == 80);
  CHECK(r.epoch == 2);
  REQUIRE(r.mixtures.size() == 2);
  CHECK(r.mixtures[1].name == "layer4");
  CHECK(r.mixtures[1].experts == 3);
  CHECK(r.mixtures[1].k == 2);
  REQUIRE(r.steps.size() == 1);
  CHECK(r.steps[0].accuracy == 1.0 / 7);
  CHECK(r.steps[0].mixtures[1].load == use[1].load);
  CHECK(r.steps[0].mixtures[0].importance == use[0].importance);
  REQUIRE(r.epochs.size() == 2);
  CHECK(std::isnan(r.epochs[0].balance_loss));
  CHECK_FALSE(r.epochs[0].test);
  CHECK(r.epochs[1].test->top5() == 0.6);
  CHECK(r.epochs[1].seconds == 12.5);
  CHECK(r.test->images == 100);
  CHECK(r.warnings == std::vector<std::string>{"expert 1 …"});
}

TEST_CASE("a log with foreign lines is read as far as it makes sense") {
  const Scratch out;
  put_bytes(out / "metrics.jsonl",
            "{\"kind\":\"run\",\"mixtures\":[{\"name\":\"m\",\"experts\":2,\"k\":1}]}\n"
            "{\"kind\":7}\n{}\n{\"kind\":\"step\",\"step\":3,\"loss\":\"x\",\"mixtures\":{\"m\":5}}\n{\"kind\":\"ep");
  const TrainResult r = read_metrics(out / "metrics.jsonl");
  REQUIRE(r.steps.size() == 1);
  CHECK(std::isnan(r.steps[0].loss));
  CHECK(r.steps[0].mixtures[0].load.size() == 2);
}

TEST_CASE("records of label maps have intersections over union instead of top-5") {
  const Scratch out;
  {
    RunFiles files(out.dir());
    files.open(Start::fresh);
    files.begin({}, {});
    EpochRecord epoch{0, 40, 2};
    epoch.test = TestRecord{.images = 7,
                            .loss = 1.5,
                            .scores = {{"mean_iou", 0.375}, {"pixel_accuracy", 0.75}},
                            .per_class = {0.5, std::nan(""), 0.25}};
    files.log(detail::json_of(epoch, {}));
  }
  const TestRecord t = read_metrics(out / "metrics.jsonl").epochs.at(0).test.value();
  CHECK(t.of_maps());
  CHECK(t.pixel_accuracy() == 0.75);
  CHECK(t.mean_iou() == 0.375);
  CHECK(t.score() == 0.375);
  CHECK(t.per_class.at(0) == 0.5);
  CHECK(std::isnan(t.per_class.at(1)));
  CHECK(TestRecord{.images = 1, .loss = 0, .scores = {{"top1", 0.5}}}.score() == 0.5);
}
