// Frozen norms and frozen parameters: what oneDNN computes for the rest is what the reference computes.
#if MOECNN_HAS_ONEDNN
#include "backend/onednn_compare.hpp"
#include "moecnn/graph/passes/freeze_norms.hpp"
#include "moecnn/layer/basic_block.hpp"
#include "moecnn/layer/conv_transpose.hpp"
#include "moecnn/layer/linear.hpp"
#include "moecnn/layer/prelu.hpp"
#include "moecnn/moe/moe.hpp"

using namespace moecnn;
using namespace onednn_test;

namespace {

/// Blocks, a depthwise and a transposed convolution, slopes, experts; biases wherever there can be some.
struct Everything {
  static constexpr int in = 3, out = 5;
  Value<5> wire(Recorder& g, Value<3> image) const {
    constexpr ConvOpts biased{.kernel = 3, .pad = 1, .bias = true};
    const auto a = g("stem", Conv<3, 16, biased>{}, image);
    const auto b = g("layer1", BasicBlock<16, 16>{}, a);
    const auto c = g("layer2", BasicBlock<16, 32, 2>{}, b);
    const auto d = g("slope", PRelu<32>{},
                     g("depthwise", Conv<32, 32, ConvOpts{.kernel = 3, .pad = 1, .groups = 32, .bias = true}>{}, c));
    const auto e = g(
        "up",
        ConvTranspose<32, 16, ConvTransposeOpts{.kernel = 3, .stride = 2, .pad = 1, .out_pad = 1, .bias = true}>{}, d);
    const auto f = g("mix", MoE<BasicBlock<16, 16>, 3, TopK<2, RouterOpts{.noise = Noise::none}>>{}, e);
    return g("fc", Linear<16, 5>{}, g.global_avg_pool(f));
  }
};

Graph recorded() {
  Graph g = record(Everything{}, {3, 12, 12});
  return g;
}

void freeze(Graph& g, const std::string& pattern) {
  bool found = false;
  for (ParamSpec& p : g.params)
    if (p.trained && glob_matches(pattern, p.name)) found = p.frozen = true;
  REQUIRE_MESSAGE(found, pattern);
}

/// A training step of both backends on one graph; the gradients of parameters that learn.
void same_as_reference(Graph g) {
  passes::fuse_norm_activation(g);
  const ProgramOpts p{.training = true, .seeds = g.outputs};
  Side<backend::OneDnn> one(g, p);
  Side<backend::Reference<double>> ref(g, p);
  one.randomise(), ref.randomise();
  // Memory that no one writes is 0, as it is in a run.
  std::ranges::fill(one.store.gradients<float>(), 0.f), std::ranges::fill(ref.store.gradients<double>(), 0.0);
  step_once(one), step_once(ref);
  CHECK(distance(one.program->read(g.outputs[0]), ref.program->read(g.outputs[0])) < 2e-5);
  for (int i = 0; i < ref.store.size(); ++i) {
    CAPTURE(ref.store.spec(i).name);
    if (ref.store.spec(i).trained)
      CHECK(distance(one.gradient(i), ref.gradient(i)) < 1e-4);
    else
      CHECK(distance(one.store.read(i), ref.store.read(i)) < 2e-5);
  }
}

}  // namespace

TEST_CASE("onednn: frozen norms equal the reference") {
  for (const char* pattern : {"*", "layer1.*", "mix.*"}) {
    CAPTURE(pattern);
    Graph g = recorded();
    passes::freeze_norms(g, {pattern});
    same_as_reference(std::move(g));
  }
}

TEST_CASE("onednn: with frozen parameters the gradients of the others equal the reference") {
  for (const char* pattern :
       {"stem.*", "layer*", "*.weight", "*.bias", "mix.*", "mix.experts.1.*", "*conv1.weight", "fc.weight", "up.*"}) {
    CAPTURE(pattern);
    Graph g = recorded();
    freeze(g, pattern);
    same_as_reference(std::move(g));
  }
}

namespace {

template <class Backend>
std::vector<std::vector<double>> gradients(const Graph& g) {
  const ProgramOpts p{.training = true, .seeds = g.outputs};
  Side<Backend> side(g, p);
  side.randomise();
  std::ranges::fill(side.store.template gradients<typename Backend::scalar>(), typename Backend::scalar(0));
  step_once(side);
  std::vector<std::vector<double>> all;
  for (int i = 0; i < side.store.size(); ++i)
    all.push_back(side.store.spec(i).trained ? side.store.read_grad(i) : side.store.read(i));
  return all;
}

/// Freezing some parameters leaves the gradients of the others as they are, and those of the frozen ones at 0.
template <class Backend>
void others_unmoved(double tolerance) {
  Graph plain = recorded();
  passes::fuse_norm_activation(plain);
  const auto truth = gradients<Backend>(plain);
  for (const char* pattern : {"stem.*", "layer1.*", "*.weight", "*.bias", "mix.*", "*conv2*"}) {
    CAPTURE(pattern);
    Graph g = recorded();
    freeze(g, pattern);
    passes::fuse_norm_activation(g);
    const auto now = gradients<Backend>(g);
    for (std::size_t i = 0; i < truth.size(); ++i) {
      CAPTURE(g.params[i].name);
      const std::vector<double> zeros(truth[i].size(), 0.0);
      if (g.params[i].frozen)
        CHECK(now[i] == zeros);
      else
        CHECK(distance(now[i], truth[i]) <= tolerance);
    }
  }
}

}  // namespace

TEST_CASE("frozen parameters leave the gradients of the others as they are") {
  others_unmoved<backend::Reference<double>>(0);
  others_unmoved<backend::OneDnn>(1e-6);
}
#endif
