// The reference backend in bf16: the same contract, values rounded where they are stored.
#include "backend/bf16_step.hpp"
#include "graph/random_graphs.hpp"
#include "moecnn/layer/basic_block.hpp"
#include "moecnn/layer/linear.hpp"
#include "moecnn/model/model.hpp"
#include "moecnn/train/trainer.hpp"
#include "train/tiny.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using Double = backend::Reference<double>;

namespace {

struct BlockAndConv {
  static constexpr int in = 3;
  Value<5> wire(Recorder& g, Value<3> x) const { return g("last", Conv<5, 5>{}, g("block", BasicBlock<3, 5>{}, x)); }
};

}  // namespace

TEST_CASE("bf16: every value that is stored as bf16 is one, and those in full precision are not rounded") {
  const Graph graph = record(BlockAndConv{}, {3, 6, 6});
  test::Rig<backend::Reference<float>> rig{.precision = Precision::bf16};
  auto& program = rig.add_training(graph);
  test::fill(rig.store, 3);
  const auto batch = test::random_batch(graph, 3);
  testing::forward(program, batch, {.training = true});
  const Graph& g = program.graph();
  int low = 0;
  for (const Node& n : g.nodes) {
    const Edge& e = g.output_of(n);
    if (e.dtype != DType::bf16) continue;
    ++low;
    CHECK(stored_bytes(e, nullptr) == 2 * static_cast<std::size_t>(e.elements()));
  }
  CHECK(low >= 6);
  // The result is written in full precision: most of its numbers need more than 8 bits.
  const auto y = program.read(g.outputs[0]);
  CHECK(std::any_of(y.begin(), y.end(), [](double v) { return v != static_cast<float>(Bf16(static_cast<float>(v))); }));
  // The derived weights are the rounded masters.
  for (const Derived& d : g.derived) CHECK(d.how == Derived::How::cast);
}

TEST_CASE("bf16: networks are near the exact ones, forwards and backwards") {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    CAPTURE(seed);
    const Graph graph = graph_test::random_graph(seed);
    const auto r = test::bf16_step<backend::Reference<float>>(graph, seed);
    CHECK(test::distance(r.bf16.result, r.exact.result) < 0.05);
    CHECK(std::isfinite(r.bf16.loss));
    for (std::size_t i = 0; i < r.exact.param_grad.size(); ++i)
      for (double v : r.bf16.param_grad[i]) REQUIRE(std::isfinite(v));
  }
}

TEST_CASE("bf16: gradients of a smooth network are near the exact ones, and further from them than float's") {
  const double worst = test::worst_gradient(test::bf16_step<backend::Reference<float>>(test::smooth_graph(), 1));
  CAPTURE(worst);
  CHECK(worst < 0.02);  // bf16 has 8 bits: half a step is 0.2 %
  CHECK(worst > 1e-4);
}

TEST_CASE("bf16: what float computes in between makes no difference beyond the rounding at the end") {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    CAPTURE(seed);
    const Graph graph = graph_test::random_graph(seed);
    const auto one = test::bf16_step<backend::Reference<float>>(graph, seed);
    const auto two = test::bf16_step<Double>(graph, seed);
    // Now and then a number lies on the edge between two bf16 numbers, and then they differ by one step.
    CHECK(test::distance(one.bf16.result, two.bf16.result) < 0.02);
  }
}

TEST_CASE("bf16: folded inference computes what the training program's evaluation does, nearly") {
  const Graph graph = record(test::Alone<BasicBlock<4, 4>>{}, {3, 6, 6});
  test::Rig<backend::Reference<float>> rig{.precision = Precision::bf16};
  auto& training = rig.add_training(graph);
  auto& inference = rig.add(test::folded(graph), {});
  test::fill(rig.store, 2);
  const auto batch = test::random_batch(graph, 2);
  const auto a = test::run(rig, training, batch, {}, test::Backward::no);
  const auto b = test::run(rig, inference, batch, {}, test::Backward::no);
  CHECK(test::distance(b.result, a.result) < 0.03);
}

TEST_CASE("bf16: a model trains, its weights stay float, and its checkpoint goes on to the same bits") {
  const auto set = tiny_images(64), tests = tiny_images(32, 2);
  const auto train = [&](Precision precision, int epochs) {
    auto model = std::make_unique<TinyModel>(Extent{8, 8, 8}, ModelOpts{.seed = 3, .precision = precision});
    data::Loader batches(set, tiny_loader()), test_batches(tests, test_loader());
    const auto run = fit(*model, batches, test_batches,
                         {.epochs = epochs, .schedule = schedule::Constant{1e-2}, .seed = 3, .progress = silent()});
    return std::pair{std::move(model), run};
  };
  const auto [low, low_run] = train(Precision::bf16, 6);
  const auto [full, full_run] = train(Precision::full, 6);
  CHECK(low->params().dtype() == DType::f32);
  CHECK(low_run.epochs.back().loss < 0.8 * low_run.epochs.front().loss);
  CHECK(std::abs(low_run.epochs.back().loss - full_run.epochs.back().loss) < 0.25);
  const auto w = low->params().read(low->params().find("fc.weight"));
  CHECK(std::any_of(w.begin(), w.end(), [](double v) { return v != static_cast<float>(Bf16(static_cast<float>(v))); }));
  const auto [again, again_run] = train(Precision::bf16, 6);
  CHECK(bits_of(low->params()) == bits_of(again->params()));
}

TEST_CASE("bf16: a backend without kernels for it says so") {
  struct FullOnly : backend::Reference<float> {
    std::string title() const override { return "full only"; }
    bool takes(DType values) const override { return values == DType::f32; }
  };
  CHECK_THROWS_WITH_AS((Model<Net, FullOnly>(Extent{8, 8, 8}, ModelOpts{.precision = Precision::bf16})),
                       "the backend full only has no kernels for bf16; choose Precision::full, or another backend",
                       Error);
}
