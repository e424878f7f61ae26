// The oneDNN backend in bf16 against the reference in bf16, and against exact results.
#if defined(MOECNN_HAS_ONEDNN)
#include "backend/bf16_step.hpp"
#include "graph/random_graphs.hpp"
#include "moecnn/backend/onednn.hpp"
#include "moecnn/backend/onednn/lowering.hpp"
#include "moecnn/layer/basic_block.hpp"
#include "moecnn/layer/linear.hpp"
#include "moecnn/model/model.hpp"
#include "moecnn/moe/res_block_moe.hpp"
#include "moecnn/train/trainer.hpp"
#include "train/tiny.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using backend::OneDnn;
using Low = backend::Reference<float>;

namespace {

/// Maps in blocks of channels from end to end, a residual that takes over memory, norms that are made again.
struct Blocks {
  static constexpr int in = 3;
  Value<20> wire(Recorder& g, Value<3> x) const {
    constexpr ConvOpts k3{.kernel = 3, .pad = 1};
    const auto a = g.relu(g("bn", BatchNorm<24>{}, g("conv", Conv<3, 24, k3>{}, x)));
    const auto b = g("block", BasicBlock<24, 24>{}, a);
    return g("last", Conv<24, 20, k3>{}, g.add(g.max_pool(b, {.kernel = 3, .stride = 1, .pad = 1}), b));
  }
};

}  // namespace

TEST_CASE("oneDNN in bf16: random networks give the reference's results, and gradients as near to the exact ones") {
  double own = 0, reference = 0;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    CAPTURE(seed);
    const Graph graph = graph_test::random_graph(seed);
    const auto ours = test::bf16_step<OneDnn>(graph, seed), low = test::bf16_step<Low>(graph, seed);
    CHECK(test::distance(ours.bf16.result, low.bf16.result) < 0.05);
    CHECK(test::distance(ours.bf16.result, ours.exact.result) < 0.05);
    const double distance = test::gradient_distance(ours);
    CHECK(std::isfinite(distance));
    own += distance, reference += test::gradient_distance(low);
  }
  // Numbers at a kink may fall to either side, so gradients are compared over all networks.
  CAPTURE(reference);
  CHECK(own < 2 * reference);
}

TEST_CASE("oneDNN in bf16: gradients of a smooth network are near the exact ones") {
  const double worst = test::worst_gradient(test::bf16_step<OneDnn>(test::smooth_graph(), 1));
  CAPTURE(worst);
  CHECK(worst < 0.02);
  CHECK(worst > 1e-4);
}

TEST_CASE("oneDNN in bf16: blocks, experts and what is made again for the backward pass") {
  for (const Graph& graph :
       {record(Blocks{}, {4, 8, 6}), record(mixture_test::mixture<mixture_test::NormExpert>({}), {9, 8, 8})}) {
    const auto ours = test::bf16_step<OneDnn>(graph, 1), low = test::bf16_step<Low>(graph, 1);
    CHECK(test::distance(ours.bf16.result, low.bf16.result) < 0.02);
    const double own = test::gradient_distance(ours), reference = test::gradient_distance(low);
    CAPTURE(reference);
    CHECK(own < 2 * reference);
  }
}

TEST_CASE("oneDNN in bf16: copies of weights lie as their masters do, whose gradients are as near as before") {
  struct Copies : OneDnn {
    bool low_weights() const override { return true; }
  };
  const Graph graph = record(Blocks{}, {4, 8, 6});
  test::Rig<Copies> rig{.precision = Precision::bf16};
  const Program& program = rig.add_training(graph);
  CHECK(!program.graph().derived.empty());
  for (const Derived& d : program.graph().derived) {
    const Layouts& layouts = program.lowered().param_layout;
    CHECK(same_order(layouts[d.weight].get(), layouts[d.derived_weight].get()));
  }
  const auto ours = test::bf16_step<Copies>(graph, 1), low = test::bf16_step<Low>(graph, 1);
  CHECK(test::distance(ours.bf16.result, low.bf16.result) < 0.02);
  const double own = test::gradient_distance(ours), reference = test::gradient_distance(low);
  CAPTURE(reference);
  CHECK(own < 2 * reference);
}

TEST_CASE("oneDNN in bf16: values take half the memory and lie as float's do") {
  const Graph graph = record(Blocks{}, {4, 8, 6});
  test::Rig<OneDnn> low{.precision = Precision::bf16}, full;
  auto &a = low.add_training(graph), &b = full.add_training(graph);
  const Graph& g = a.graph();
  int halves = 0;
  for (const Node& n : g.nodes) {
    const Edge& e = g.output_of(n);
    const Layout* layout = a.lowered().value_layout[n.output].get();
    if (e.dtype != DType::bf16 || !layout) continue;
    ++halves;
    const int same = b.graph().find_edge(e.name);
    if (same < 0) continue;  // a cast
    const Layout* wide = b.lowered().value_layout[same].get();
    REQUIRE(wide);
    CHECK(2 * layout->bytes() == wide->bytes());
  }
  CHECK(halves >= 5);
  CHECK(g.derived.empty());  // weights are read as they are
}

TEST_CASE("oneDNN in bf16: a layout of bf16 packs and unpacks what it is given") {
  Edge map;
  map.extent = {2, 3, 5}, map.channels = 11;
  const host::Bf16Layout<float> layout(std::make_shared<onednn::BlockedLayout>(map, 8), map.elements());
  CHECK(layout.bytes() == 2 * 2 * 16 * 15);
  const auto n = static_cast<std::size_t>(map.elements());
  std::vector<Bf16> plain(n), stored(layout.elements(), Bf16(9.f)), back(n);
  for (std::size_t i = 0; i < n; ++i) plain[i] = Bf16(static_cast<float>(i));
  const Layout& general = layout;
  general.pack(plain.data(), stored.data());
  CHECK(static_cast<float>(stored[1]) == 15);  // the second channel of the first pixel
  CHECK(static_cast<float>(stored[layout.elements() - 1]) == 0);
  general.unpack(stored.data(), back.data());
  for (std::size_t i = 0; i < n; ++i) REQUIRE(back[i].bits == plain[i].bits);
}

TEST_CASE("oneDNN in bf16: programs of several batch sizes share masters and copies; inference follows training") {
  using Tiny = Model<Net, OneDnn>;
  const auto set = tiny_images(64), tests = tiny_images(32, 2);
  const auto train = [&](Precision precision) {
    auto model = std::make_unique<Tiny>(Extent{8, 8, 8}, ModelOpts{.seed = 3, .precision = precision});
    data::Loader batches(set, tiny_loader()), test_batches(tests, test_loader());
    const auto run = fit(*model, batches, test_batches,
                         {.epochs = 6, .schedule = schedule::Constant{1e-2}, .seed = 3, .progress = silent()});
    return std::pair{std::move(model), run};
  };
  const auto [low, low_run] = train(Precision::bf16);
  const auto [full, full_run] = train(Precision::full);
  CHECK(low_run.epochs.back().loss < 0.8 * low_run.epochs.front().loss);
  CHECK(std::abs(low_run.epochs.back().loss - full_run.epochs.back().loss) < 0.25);
  const auto [again, again_run] = train(Precision::bf16);
  CHECK(bits_of(low->params()) == bits_of(again->params()));
}
#endif
