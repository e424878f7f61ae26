// The operations without a layer of their own, and what the kernels owe the program: nothing unwritten is read, no
// misuse goes through. Layers are checked in tests/layer, mixtures in tests/moe.
#include "moecnn/backend/reference.hpp"
#include "moecnn/backend/reference/product.hpp"

#include "check_layer.hpp"
#include "moecnn/layer/conv.hpp"
#include "moecnn/layer/linear.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using test::check_layer;

namespace {

struct Relu {
  static constexpr int in = 3;
  Value<3> wire(Recorder& g, Value<3> x) const { return g.relu(x); }
};
struct ReluTwice {
  static constexpr int in = 3;
  Value<3> wire(Recorder& g, Value<3> x) const { return g.relu(g.relu(x)); }
};
struct Doubled {
  static constexpr int in = 3;
  Value<3> wire(Recorder& g, Value<3> x) const { return g.add(x, x); }
};
struct DoubledInside {
  static constexpr int in = 3;
  Value<3> wire(Recorder& g, Value<3> x) const {
    const auto y = g.relu(x);
    return g.relu(g.add(y, y));
  }
};
struct Diamond {
  static constexpr int in = 3;
  Value<3> wire(Recorder& g, Value<3> x) const {
    const auto a = g("a", Conv<3, 3>{}, x), b = g("b", Conv<3, 3>{}, a);
    return g.add(g.relu(g.add(a, b)), g.add(b, x));
  }
};
struct GlobalAvgPool {
  static constexpr int in = 3;
  Value<3> wire(Recorder& g, Value<3> x) const { return g.global_avg_pool(x); }
};
struct MaxPool {
  static constexpr int in = 2;
  ops::MaxPool window{};
  Value<2> wire(Recorder& g, Value<2> x) const { return g.max_pool(x, window); }
};

/// A network with a loss: its labels are the batch's.
struct Classifier {
  static constexpr int in = 3;
  Value<7> wire(Recorder& g, Value<3> x) const {
    return g("fc", Linear<5, 7>{}, g.global_avg_pool(g.relu(g("conv", Conv<3, 5>{}, x))));
  }
};
Graph with_loss(Extent images) {
  Graph g = record(Classifier{}, images);
  g.outputs.push_back(Recorder(g).cross_entropy(g.outputs[0]));
  return g;
}

using Reference = backend::Reference<double>;

}  // namespace

TEST_CASE("reference: gradients of the operations without parameters") {
  CHECK(check_layer(Relu{}, {2, 3, 4}) == "");
  CHECK(check_layer(ReluTwice{}, {2, 3, 4}) == "");
  CHECK(check_layer(GlobalAvgPool{}, {2, 3, 5}) == "");
  CHECK(check_layer(MaxPool{}, {2, 6, 7}) == "");
  CHECK(check_layer(MaxPool{{.kernel = 3, .stride = 2, .pad = 1}}, {2, 7, 6}) == "");
  CHECK(check_layer(MaxPool{{.kernel = {3, 2}, .stride = {1, 2}, .pad = {1, 0}}}, {2, 5, 5}) == "");
  CHECK(check_layer(MaxPool{{.kernel = 2, .stride = 3}}, {1, 8, 8}) == "");  // pixels that no window sees
}

TEST_CASE("reference: a value added to itself, and sums whose terms have other readers") {
  CHECK(check_layer(Doubled{}, {2, 3, 4}) == "");
  CHECK(check_layer(DoubledInside{}, {2, 3, 4}) == "");
  CHECK(check_layer(Diamond{}, {2, 3, 4}) == "");
}

TEST_CASE("reference: cross-entropy") {
  CHECK(test::check_graph(with_loss({4, 3, 3}), {.inference = false}) == "");
  CHECK(test::check_graph(with_loss({1, 2, 2}), {.inference = false}) == "");

  const Graph g = with_loss({2, 2, 2});
  test::Rig<Reference> rig;
  auto& program = rig.add_training(g);
  test::fill(rig.store, 1);
  auto batch = test::random_batch(g, 1);
  const auto out = test::run(rig, program, batch, {.training = true});
  double expected = 0;
  for (int r = 0; r < 2; ++r) {
    double sum = 0;
    for (int c = 0; c < 7; ++c) sum += std::exp(out.result[static_cast<std::size_t>(r * 7 + c)]);
    expected += (std::log(sum) - out.result[static_cast<std::size_t>(r * 7 + batch.labels[r])]) / 2;
  }
  CHECK(out.loss == doctest::Approx(expected).epsilon(1e-13));

  batch.labels[1] = 7;
  CHECK_THROWS_WITH_AS(test::run(rig, program, batch, {.training = true}),
                       "image 1 of a batch has label 7, but the network has 7 classes (from 0)", Error);
}

TEST_CASE("reference: logits far apart give a finite loss, NaN is not hidden") {
  const Graph g = with_loss({1, 1, 1});
  test::Rig<Reference> rig;
  auto& program = rig.add_training(g);
  auto batch = test::random_batch(g, 1);
  rig.store.initialise(1);
  std::vector<double> bias{0, 2000, 0, -2000, 0, 0, 0};
  rig.store.write(rig.store.find("fc.bias"), bias.data());
  batch.labels[0] = 3;
  const auto out = test::run(rig, program, batch, {.training = true});
  CHECK(out.loss == doctest::Approx(4000).epsilon(1e-2));
  CHECK(test::detail::finite(out.param_grad[static_cast<std::size_t>(rig.store.find("fc.bias"))]));

  batch.images[1] = std::nan("");
  CHECK(std::isnan(test::run(rig, program, batch, {.training = true}).loss));
}

TEST_CASE("reference: NaN passes ReLU and max-pooling, so that it is seen") {
  for (const Graph& g : {record(Relu{}, {1, 1, 2}), record(MaxPool{}, {1, 2, 4})}) {
    test::Rig<Reference> rig;
    auto& program = rig.add_training(g);
    auto batch = test::random_batch(g, 1);
    batch.images[1] = std::nan("");  // the second pixel; it lies in the first window
    const auto y = test::run(rig, program, batch, {.training = true}, test::Backward::no).result;
    CHECK(std::count_if(y.begin(), y.end(), [](double v) { return std::isnan(v); }) == 1);
  }
}

TEST_CASE("reference: max-pooling ties go to the first position, and only it gets the gradient") {
  const Graph g = record(MaxPool{}, {1, 2, 2});
  test::Rig<Reference> rig;
  auto& program = rig.add_training(g);
  auto batch = test::random_batch(g, 1);
  std::fill(batch.images.begin(), batch.images.end(), -2.0);
  batch.c = {3, 5};
  const auto out = test::run(rig, program, batch, {.training = true});
  CHECK(out.result == std::vector<double>{-2, -2});
  CHECK(out.input_grad == std::vector<double>{3, 0, 0, 0, 5, 0, 0, 0});
}

TEST_CASE("reference: float agrees with double") {
  using Float = backend::Reference<float>;
  CHECK(test::check_layer_parity<Float>(Diamond{}, {2, 5, 4}, {.tolerance = 1e-5}) == "");
  CHECK(test::check_layer_parity<Float>(MaxPool{{.kernel = 3, .stride = 2, .pad = 1}}, {2, 7, 6},
                                        {.tolerance = 1e-5}) == "");
  CHECK(test::check_parity<Float>(Classifier{}, {3, 4, 4}, {.tolerance = 1e-5}) == "");
  CHECK(test::check_parity<Float>(Classifier{}, {3, 4, 4}, {.tolerance = 1e-12}) != "");  // it does compare
}

TEST_CASE("reference: the product of matrices, around the sizes of its blocks") {
  using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  for (const int m : {1, 2, 31, 33, 70})
    for (const int n : {1, 3, 64, 65, 130})
      for (const int k : {1, 7, 256, 300}) {
        const Matrix a = Matrix::Random(m, k), b = Matrix::Random(k, n), at = a.transpose(), bt = b.transpose();
        Matrix expected = Matrix::Ones(m, n);
        for (int i = 0; i < m; ++i)
          for (int j = 0; j < n; ++j)
            for (int d = 0; d < k; ++d) expected(i, j) += a(i, d) * b(d, j);
        const auto product = [&](const auto& x, const auto& y) {
          Matrix c = Matrix::Ones(m, n);
          reference::add_product(x, y, reference::MatrixMap<double>(c.data(), m, n));
          return (c - expected).cwiseAbs().maxCoeff();
        };
        CHECK(product(a, b) < 1e-12);
        CHECK(product(at.transpose(), b) < 1e-12);
        CHECK(product(a, bt.transpose()) < 1e-12);
      }
}
