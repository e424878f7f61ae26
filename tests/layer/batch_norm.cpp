#include "moecnn/layer/batch_norm.hpp"

#include "check_layer.hpp"
#include "moecnn/layer/conv.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using test::check_layer;
using test::check_net;

namespace {

/// Batch norm with everything that a pass may fuse or fold around it; `Shape` picks the order of the sum.
enum class Shape {
  relu,
  sum_relu,
  relu_sum,
  sum_with_itself,
  sum_with_its_input,
  two_readers,
  norm_relu_norm,
  norm_norm,
  two_norms
};

template <Shape S>
struct Around {
  static constexpr int in = 3;
  Value<3> wire(Recorder& g, Value<3> x) const {
    const auto c = g("conv", Conv<3, 3, ConvOpts{.kernel = 3, .pad = 1, .bias = true}>{}, x);
    const auto y = g("bn", BatchNorm<3>{}, c);
    switch (S) {
      case Shape::relu: return g.relu(y);
      case Shape::sum_relu: return g.relu(g.add(y, x));
      case Shape::relu_sum: return g.add(x, g.relu(y));
      case Shape::sum_with_itself: return g.relu(g.add(y, y));
      case Shape::sum_with_its_input: return g.relu(g.add(y, c));
      case Shape::two_readers: return g.add(g.relu(y), y);
      case Shape::norm_relu_norm: return g("bn2", BatchNorm<3>{}, g.relu(y));
      case Shape::norm_norm: return g("bn2", BatchNorm<3>{}, y);
      case Shape::two_norms: break;
    }
    return g.relu(g.add(g("bn2", BatchNorm<3>{}, g("conv2", Conv<3, 3>{}, x)), y));
  }
};

}  // namespace

TEST_CASE("batch norm: gradients in training") {
  CHECK(check_layer(BatchNorm<4>{}, {5, 3, 2}) == "");
  CHECK(check_layer(BatchNorm<3>{}, {6, 1, 1}) == "");
  CHECK(check_layer(BatchNorm<2>{.eps = 0.1, .momentum = 0.7}, {1, 3, 3}) == "");
}

TEST_CASE("batch norm: gradients with running statistics, as in evaluation") {
  CHECK(check_layer(BatchNorm<4>{}, {5, 3, 2}, {.step = {.training = false}}) == "");
  CHECK(check_net(Around<Shape::sum_relu>{}, {3, 4, 4}, {.step = {.training = false}}) == "");
}

TEST_CASE("batch norm: whatever stands around it, the passes change nothing") {
  CHECK(check_net(Around<Shape::relu>{}, {3, 4, 5}) == "");
  CHECK(check_net(Around<Shape::sum_relu>{}, {3, 4, 5}) == "");
  CHECK(check_net(Around<Shape::relu_sum>{}, {3, 4, 5}) == "");
  CHECK(check_net(Around<Shape::sum_with_itself>{}, {3, 4, 5}) == "");
  CHECK(check_net(Around<Shape::sum_with_its_input>{}, {3, 4, 5}) == "");
  CHECK(check_net(Around<Shape::two_readers>{}, {3, 4, 5}) == "");
  CHECK(check_net(Around<Shape::norm_relu_norm>{}, {3, 4, 5}) == "");
  CHECK(check_net(Around<Shape::norm_norm>{}, {3, 4, 5}) == "");
  CHECK(check_net(Around<Shape::two_norms>{}, {3, 4, 5}) == "");
}

TEST_CASE("batch norm: the output has mean bias and deviation weight, the running statistics move by momentum") {
  const Graph g = record(test::Alone<BatchNorm<2>>{{.momentum = 0.25}}, {3, 2, 2});
  test::Rig<backend::Reference<double>> rig;
  auto& program = rig.add_training(g);
  test::fill(rig.store, 3);
  const auto batch = test::random_batch(g, 3);
  const auto out = test::run(rig, program, batch, {.training = true});
  const auto weight = rig.store.read(0), bias = rig.store.read(1), mean = rig.store.read(2), var = rig.store.read(3);
  for (int c = 0; c < 2; ++c) {
    double x_mean = 0, x_squares = 0, y_mean = 0, y_squares = 0;
    const auto each = [&](const auto& visit) {
      for (int r = 0; r < 3; ++r)
        for (int p = 0; p < 4; ++p) visit(static_cast<std::size_t>((r * 2 + c) * 4 + p));
    };
    each([&](std::size_t i) { x_mean += batch.images[i] / 12, y_mean += out.result[i] / 12; });
    each([&](std::size_t i) {
      x_squares += std::pow(batch.images[i] - x_mean, 2), y_squares += std::pow(out.result[i] - y_mean, 2);
    });
    CHECK(y_mean == doctest::Approx(bias[c]).epsilon(1e-12));
    CHECK(y_squares / 12 ==
          doctest::Approx(weight[c] * weight[c] * (x_squares / 12) / (x_squares / 12 + 1e-5)).epsilon(1e-12));
    CHECK(out.buffers[2][c] == doctest::Approx(0.75 * mean[c] + 0.25 * x_mean).epsilon(1e-12));
    CHECK(out.buffers[3][c] == doctest::Approx(0.75 * var[c] + 0.25 * x_squares / 11).epsilon(1e-12));
  }
  // Evaluation reads the running statistics and leaves them alone.
  const auto evaluated = test::run(rig, program, batch, {}, test::Backward::no);
  CHECK(evaluated.buffers[2] == std::vector<double>(mean.begin(), mean.end()));
  CHECK(evaluated.result[5] ==
        doctest::Approx((batch.images[5] - mean[1]) / std::sqrt(var[1] + 1e-5) * weight[1] + bias[1]));
}

TEST_CASE("batch norm: a single value per channel normalises to the bias, with finite gradients") {
  const Graph g = record(test::Alone<BatchNorm<3>>{}, {1, 1, 1});
  test::Rig<backend::Reference<double>> rig;
  auto& program = rig.add_training(g);
  test::fill(rig.store, 4);
  const auto out = test::run(rig, program, test::random_batch(g, 4), {.training = true});
  const auto bias = rig.store.read(1), variance = rig.store.read(3);
  for (std::size_t c = 0; c < 3; ++c) {
    CHECK(out.result[c] == doctest::Approx(bias[c]).epsilon(1e-12));
    CHECK(std::abs(out.input_grad[c]) < 1e-12);
    CHECK(out.buffers[3][c] == doctest::Approx(0.9 * variance[c]).epsilon(1e-12));  // a variance of 0, not NaN
  }
}
