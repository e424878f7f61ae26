#include "moecnn/train/trainer.hpp"

#include <doctest/doctest.h>

#include "io/scratch.hpp"
#include "train/tiny.hpp"

using namespace moecnn;

TEST_CASE("a tiny network with a mixture learns a toy problem") {
  const auto train_set = tiny_images(90), test_set = tiny_images(50, 2);
  data::Loader train(train_set, tiny_loader()), test(test_set, test_loader());
  TinyModel model({.n = 8, .h = 8, .w = 8});
  const double before = evaluate(model, test).loss;
  const TrainResult r =
      fit(model, train, test, {.epochs = 6, .schedule = schedule::Constant{1e-2}, .progress = silent()});
  CHECK(r.step == 6 * 12);
  CHECK(r.epoch == 6);
  CHECK(r.ended == Ended::all_epochs);
  REQUIRE(r.epochs.size() == 6);
  CHECK(r.epochs.back().loss < 0.5 * r.epochs.front().loss);
  REQUIRE(r.test);
  CHECK(r.test->top1 > 0.9);
  CHECK(r.test->loss < 0.5 * before);
  CHECK(r.test->images == 50);
  CHECK(r.mixtures.size() == 1);
  CHECK(r.mixtures[0].name == "mix");
  double sum = 0;
  for (double s : r.epochs.back().mixtures[0].load) sum += s;
  CHECK(sum == doctest::Approx(1));
}
