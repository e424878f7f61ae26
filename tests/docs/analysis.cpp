// The code of docs/analysis.md. Text between two `// [name]` markers is shown there word for word.
#include "graph_runs.hpp"  // kernels that are compiled once
#include "moecnn/analysis/experts.hpp"
#include "moecnn/analysis/tsne.hpp"
#include "moecnn/data/synthetic.hpp"
#include "moecnn/layer/conv.hpp"
#include "moecnn/layer/linear.hpp"
#include "moecnn/model/model.hpp"
#include "moecnn/moe/moe.hpp"

#include <doctest/doctest.h>

using namespace moecnn;

namespace {

struct Expert {
  static constexpr int in = 8, out = 8;
  Value<8> wire(Recorder& g, Value<8> x) const { return g.relu(g("conv", Conv<8, 8>{}, x)); }
};

struct Net {
  static constexpr int in = 3;
  Value<100> wire(Recorder& g, Value<3> image) const {
    const auto x = g.relu(g("stem", Conv<3, 8, ConvOpts{.kernel = 3, .stride = 4, .bias = true}>{}, image));
    return g("fc", Linear<8, 100>{}, g.global_avg_pool(g("layer4", MoE<Expert, 4>{}, x)));
  }
};

}  // namespace

TEST_CASE("what expert 3 does") {
  const auto images = data::synthetic(60, /*seed=*/1, data::Split::test);
  Model<Net, backend::Reference<float>> model({.n = 20, .h = 32, .w = 32}, {.training = false});
  // [expert_3]
  const auto seen = analysis::predict(model, images);
  const auto& mixture = seen.mixture("layer4");
  const auto weights = analysis::mean_weights(mixture.weights, images.labels, images.classes());
  const auto favourites = analysis::top_groups(weights, 3, 5);  // classes
  const auto each = analysis::predict_each(model, images, analysis::each_alone(mixture.weights.cols()));
  const auto alone = analysis::single_experts(each, images.labels);
  const auto r = analysis::correlation(alone.class_accuracy, weights);
  const auto map = analysis::tsne(mixture.gate_logits, {.perplexity = 15});
  // [expert_3]
  CHECK(favourites.size() == 5);
  CHECK(weights(favourites[0], 3) >= weights(favourites[4], 3));
  CHECK(alone.accuracy.size() == 4);
  CHECK((std::isnan(r.pearson) || std::abs(r.pearson) <= 1));
  CHECK(map.points.size() == 60);
  CHECK(seen.labels == images.labels);
  CHECK(seen.indices[59] == 59);
}
