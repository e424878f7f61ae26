// Predictions for several choices of experts in one pass: the same as in a pass for each.
#include "moecnn/analysis/experts.hpp"
#include "moecnn/backend/default.hpp"
#include "moecnn/backend/reference.hpp"
#include "moecnn/data/synthetic.hpp"
#include "moecnn/layer/conv.hpp"
#include "moecnn/layer/linear.hpp"
#include "moecnn/moe/moe.hpp"
#include "moecnn/moe/patch_moe.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using namespace moecnn::analysis;

namespace {

constexpr ConvOpts k3{.kernel = 3, .pad = 1, .bias = true};

struct Expert {
  static constexpr int in = 4, out = 4;
  Value<4> wire(Recorder& g, Value<4> x) const { return g("b", Conv<4, 4, k3>{}, g.relu(g("a", Conv<4, 4, k3>{}, x))); }
};
struct Other {
  static constexpr int in = 4, out = 4;
  Value<4> wire(Recorder& g, Value<4> x) const { return g("c", Conv<4, 4>{}, x); }
};

/// A layer, a shortcut around it that must outlive the experts, and what follows them.
template <class Layer>
struct Net {
  static constexpr int in = 3, out = 10;
  Value<10> wire(Recorder& g, Value<3> image) const {
    const auto x = g.relu(g("stem", Conv<3, 4, ConvOpts{.kernel = 3, .stride = 4, .bias = true}>{}, image));
    const auto y = g.relu(g.add(g("layer", Layer{}, x), x));
    return g("fc", Linear<4, 10>{}, g.global_avg_pool(g("last", Conv<4, 4, k3>{}, y)));
  }
};

struct TwoLayers {
  static constexpr int in = 4, out = 4;
  Value<4> wire(Recorder& g, Value<4> x) const {
    return g("two", MoE<Expert, 3>{}, g.relu(g("one", MoE<Expert, 3>{}, x)));
  }
};
/// Both mixtures have routed before the first one is summed up, or not: that is the order of recording.
struct SideBySide {
  static constexpr int in = 4, out = 4;
  Value<4> wire(Recorder& g, Value<4> x) const {
    return g.add(g("one", MoE<Expert, 3>{}, x), g("two", MoE<Expert, 3>{}, x));
  }
};

using Mixture = MoE<Expert, 3>;
using SeveralTypes = MoE<std::tuple<Expert, Other, Expert>, 3>;
using Patches = PatchMoE<Conv<4, 4, k3>, 3>;  // kernels are mixed, there is no sum of results

template <class Layer, class Backend>
void same_as_passes(double tolerance) {
  const auto images = data::synthetic(7, /*seed=*/1, data::Split::test);
  Model<Net<Layer>, Backend> model({.n = 4, .h = 32, .w = 32}, {.seed = 5, .training = false});
  std::vector<ExpertsOf> choices = each_alone(3);
  for (const ExpertsOf& one :
       {ExpertsOf{}, ExpertsOf{.k = 1}, ExpertsOf{.k = 3}, ExpertsOf{.equal_weights = true}, ExpertsOf{}})
    choices.push_back(one);
  const PredictOpts batches{.batch = 4};
  const auto all = predict_each(model, images, choices, batches);
  REQUIRE(all.size() == choices.size());
  for (std::size_t c = 0; c < choices.size(); ++c) {
    CAPTURE(c);
    CAPTURE(model.backend().title());
    PredictOpts opts = batches;
    opts.k = choices[c].k, opts.fixed_expert = choices[c].fixed_expert, opts.equal_weights = choices[c].equal_weights;
    const Predictions one = predict(model, images, opts);
    CHECK(all[c].images == 7);
    CHECK(all[c].labels == one.labels);
    CHECK(all[c].indices == one.indices);
    REQUIRE(all[c].logits.size() == one.logits.size());
    double worst = 0, largest = 0;
    for (std::size_t i = 0; i < one.logits.size(); ++i) {
      worst = std::max(worst, std::abs(double(all[c].logits[i]) - double(one.logits[i])));
      largest = std::max(largest, std::abs(double(one.logits[i])));
    }
    CHECK(worst <= tolerance * largest);
    REQUIRE(all[c].mixtures.size() == one.mixtures.size());
    for (std::size_t m = 0; m < one.mixtures.size(); ++m) {
      CHECK(all[c].mixtures[m].k == one.mixtures[m].k);
      for (std::size_t i = 0; i < one.mixtures[m].weights.flat().size(); ++i)
        CHECK(all[c].mixtures[m].weights.flat()[i] == doctest::Approx(one.mixtures[m].weights.flat()[i]).epsilon(1e-5));
    }
  }
}

}  // namespace

TEST_CASE("one pass for many choices of experts gives what a pass for each gives") {
  same_as_passes<Mixture, backend::Reference<double>>(1e-6);  // predictions are floats
  same_as_passes<Mixture, backend::Reference<float>>(1e-5);
  same_as_passes<Mixture, backend::Default>(1e-5);
}

TEST_CASE("the same with several mixtures, one after the other and side by side") {
  same_as_passes<TwoLayers, backend::Reference<float>>(1e-5);
  same_as_passes<SideBySide, backend::Reference<float>>(1e-5);
  same_as_passes<SideBySide, backend::Default>(1e-5);
}

TEST_CASE("the same with experts of several types, and where kernels are mixed") {
  same_as_passes<SeveralTypes, backend::Reference<float>>(1e-5);
  same_as_passes<Patches, backend::Reference<float>>(1e-5);
  same_as_passes<Patches, backend::Default>(1e-5);
}

TEST_CASE("running again wants a program that was made for it, all experts, and no more than there are") {
  Model<Net<Mixture>, backend::Reference<float>> model({.n = 2, .h = 32, .w = 32}, {.training = false});
  const std::vector<float> images(2 * 3 * 32 * 32, 0.5f);
  Program& plain = model.inference();
  plain.set_images(images.data());
  plain.forward({.noise_off = true});
  CHECK_THROWS_WITH_AS(plain.forward_again({}), doctest::Contains("ask the model for inference_of_all()"), Error);
  Program& all = model.inference_of_all({2, 32, 32});
  all.set_images(images.data());
  CHECK_THROWS_WITH_AS(all.forward_again({}), doctest::Contains("call forward()"), Error);
  all.forward({.noise_off = true});
  CHECK_THROWS_WITH_AS(all.forward_again({}), doctest::Contains("in which all experts run"), Error);
  all.forward({.noise_off = true, .equal_weights = true});
  CHECK_THROWS_WITH_AS(all.forward_again({.k = 4}), doctest::Contains("4 experts per row"), Error);
  all.forward_again({.k = 2});
  CHECK(all.routings()[0].load[0] + all.routings()[0].load[1] + all.routings()[0].load[2] == 4);
}
