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

/// The largest ratio of the distances of the two from the exact gradients, over all parameters that have some.
double worse_than_reference(const test::Bf16Step& ours, const test::Bf16Step& reference) {
  double worst = 0, largest = 0;
  for (const auto& g : reference.exact.param_grad) largest = std::max(largest, test::norm(g));
  for (std::size_t i = 0; i < reference.exact.param_grad.size(); ++i) {
    const auto& exact = reference.exact.param_grad[i];
    if (test::norm(exact) < 1e-2 * largest) continue;  // of a bias in front of a norm nothing but rounding is left
    const double own = test::distance(ours.bf16.param_grad[i], exact);
    const double other = test::distance(reference.bf16.param_grad[i], exact);
    worst = std::max(worst, own / std::max(other, 0.01));
  }
  return worst;
}

}  // namespace

TEST_CASE("oneDNN in bf16: random networks give the reference's results, and gradients as near to the exact ones") {
  double sum = 0;
  constexpr int networks = 30;
  for (std::uint64_t seed = 1; seed <= networks; ++seed) {
    CAPTURE(seed);
    const Graph graph = graph_test::random_graph(seed);
    const auto ours = test::bf16_step<OneDnn>(graph, seed), low = test::bf16_step<Low>(graph, seed);
    CHECK(test::distance(ours.bf16.result, low.bf16.result) < 0.02);
    CHECK(test::distance(ours.bf16.result, ours.exact.result) < 0.05);
    const double worse = worse_than_reference(ours, low);
    CHECK(std::isfinite(worse));
    sum += worse;
  }
  CHECK(sum / networks < 1.5);  // a number at a kink may fall to either side
}

TEST_CASE("oneDNN in bf16: blocks, experts and what is made again for the backward pass") {
  for (const Graph& graph :
       {record(Blocks{}, {4, 8, 6}), record(mixture_test::mixture<mixture_test::NormExpert>({}), {9, 8, 8})}) {
    const auto ours = test::bf16_step<OneDnn>(graph, 1), low = test::bf16_step<Low>(graph, 1);
    CHECK(test::distance(ours.bf16.result, low.bf16.result) < 0.02);
    CHECK(worse_than_reference(ours, low) < 1.5);
  }
}

TEST_CASE("oneDNN in bf16: values and copies of weights take half the memory and lie as float's do") {
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
  for (const Derived& d : g.derived) {
    const auto &master = a.lowered().param_layout[d.weight], &copy = a.lowered().param_layout[d.derived_weight];
    CHECK(same_order(master.get(), copy.get()));
  }
  CHECK(!g.derived.empty());
}

TEST_CASE("oneDNN in bf16: a layout of bf16 packs and unpacks what it is given") {
  Edge map;
  map.extent = {2, 3, 5}, map.channels = 11;
  const host::Bf16Layout<float> layout(std::make_shared<onednn::BlockedLayout>(map, 8));
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
