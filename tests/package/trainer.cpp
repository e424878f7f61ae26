// A stranger's program whose kernels are compiled apart, by moecnn_add_kernels(): it trains a step and keeps the weights.
#include <moecnn/backend/default.hpp>
#include <moecnn/moecnn.hpp>

#include <cstdio>

#ifndef MOECNN_SHARED_KERNELS
#error "moecnn_add_kernels() must tell programs that kernels are shared"
#endif

using namespace moecnn;

struct Net {
  static constexpr int in = 3, out = data::synthetic_families;
  Value<out> wire(Recorder& g, Value<in> image) const {
    const auto x = g.relu(g("conv", Conv<3, 8, ConvOpts{.kernel = 3, .stride = 2}>{}, image));
    return g("fc", Linear<8, out>{}, g.global_avg_pool(x));
  }
};

int main(int, char** argv) {
  auto train = data::synthetic(8, /*seed=*/1, data::Split::train);
  train.labels = train.families, train.class_names = train.family_names;
  Model<Net, backend::Default> model({.n = 8, .h = 32, .w = 32}, {.seed = 1});
  data::Loader batches(train, data::LoaderOpts::training({.batch = 8, .seed = 1}));
  fit(model, batches, {.epochs = 1});
  const auto file = std::filesystem::path(argv[0]).parent_path() / "weights.safetensors";
  save_weights(model.params(), file);
  load_weights(model.params(), file);
  std::printf("%d parameters\n", model.params().size());
  return model.params().size() == 3 ? 0 : 1;
}
