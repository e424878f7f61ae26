#include "moecnn/layer/prelu.hpp"

#include "check_layer.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using test::check_layer;

TEST_CASE("prelu: gradients with one slope and with one per channel") {
  CHECK(check_layer(PRelu<3>{}, {2, 4, 5}) == "");
  CHECK(check_layer(PRelu<3, Slopes::per_channel>{}, {2, 4, 5}) == "");
  CHECK(check_layer(PRelu<1, Slopes::per_channel>{}, {1, 1, 1}) == "");
}

TEST_CASE("prelu: starts at 1/4, keeps what is positive, and lets NaN pass") {
  const Graph g = record(test::Alone<PRelu<1>>{}, {1, 1, 4});
  test::Rig<backend::Reference<double>> rig;
  auto& program = rig.add_training(g);
  rig.store.initialise(1);
  auto batch = test::random_batch(g, 1);
  batch.images = {-2, 0, 3, std::nan("")};
  const auto y = test::run(rig, program, batch, {.training = true}).result;
  CHECK(std::vector<double>(y.begin(), y.begin() + 3) == std::vector<double>{-0.5, 0, 3});
  CHECK(std::isnan(y[3]));
}
