// Start here: a small network whose middle is a mixture of experts, trained on generated images.
//
//   hello_moe            half a minute of training, then what each expert likes
//   hello_moe --smoke    a few steps, to see that it runs
#include <moecnn/backend/default.hpp>
#include <moecnn/moecnn.hpp>

#include <string_view>

using namespace moecnn;

// An expert is any layer. This one halves the map: convolution, batch norm, ReLU.
struct ConvExpert {
  static constexpr int in = 32, out = 64;
  Value<out> wire(Recorder& g, Value<in> x) const {
    const auto y = g("conv", Conv<in, out, ConvOpts{.kernel = 3, .stride = 2, .pad = 1}>{}, x);
    return g.relu(g("bn", BatchNorm<out>{}, y));
  }
};

// Four experts, of which a gate picks two for every image; a loss asks it to use all four.
using Mixture = MoE<ConvExpert, 4, TopK<2>, gate::GapLinear, balance::Importance>;

struct Net {
  static constexpr int in = 3, out = data::synthetic_families;
  Value<out> wire(Recorder& g, Value<in> image) const {
    auto x = g("conv1", Conv<3, 32, ConvOpts{.kernel = 3, .stride = 2, .pad = 1}>{}, image);
    x = g.relu(g("bn1", BatchNorm<32>{}, x));
    const auto y = g("mixture", Mixture{}, x);
    return g("fc", Linear<64, out>{}, g.global_avg_pool(y));
  }
};

int main(int argc, char** argv) {
  const std::string_view word = argc > 1 ? argv[1] : "";
  const bool smoke = word == "--smoke", help = word == "--help";
  if (help || argc > 2 || (argc == 2 && !smoke)) {
    fmt::print(help ? stdout : stderr, "usage: hello_moe [--smoke]\n");
    return help ? 0 : 2;
  }
  auto train = data::synthetic(smoke ? 256 : 8000, /*seed=*/1, data::Split::train);
  auto test = data::synthetic(smoke ? 128 : 1000, /*seed=*/1, data::Split::test);
  // The families are the classes here: 20 kinds of picture.
  train.labels = train.families, train.class_names = train.family_names;
  test.labels = test.families, test.class_names = test.family_names;

  Model<Net, backend::Default> model({.n = 64, .h = 32, .w = 32}, {.seed = 42});
  data::Loader batches(train, data::LoaderOpts::training({.batch = 64, .seed = 42}));
  fit(model, batches, {.epochs = smoke ? 1 : 4, .schedule = schedule::Constant{2e-3}});

  const auto seen = analysis::predict(model, test);
  fmt::print("{:.1f} % of the test images right\n", 100 * analysis::top_k_accuracy(seen, test.labels, 1));
  const Matrix use = analysis::mean_weights(seen.mixture("mixture").weights, test.labels, test.classes());
  for (int e = 0; e < 4; ++e) {
    fmt::print("expert {} likes", e);
    for (int c : analysis::top_groups(use, e, 3)) fmt::print("  {} ({:.0f} %)", test.class_names[c], 100 * use(c, e));
    fmt::print("\n");
  }
}
