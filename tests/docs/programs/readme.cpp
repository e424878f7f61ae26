// The program of README.md: compiled with the tests, not run by them.
// [readme]
#include <moecnn/backend/default.hpp>
#include <moecnn/moecnn.hpp>
using namespace moecnn;

// The last stage of a ResNet-18 becomes 4 narrow experts; a gate picks 2 of them for each image.
using Stage4 = ResBlockMoE<NarrowBlocks<256, 180, 512>, 4, TopK<2>, gate::GapLinear, balance::Importance>;

struct Net {
  static constexpr int in = 3;
  Value<100> wire(Recorder& g, Value<3> image) const {
    auto a = g.relu(g("bn1", BatchNorm<64>{}, g("conv1", Conv<3, 64, ConvOpts{.kernel = 3, .pad = 1}>{}, image)));
    auto b = g("layer3", ResStage<128, 256>{}, g("layer2", ResStage<64, 128>{}, g("layer1", ResStage<64, 64>{}, a)));
    return g("fc", Linear<512, 100>{}, g.global_avg_pool(g("layer4", Stage4{}, b)));
  }
};

int main() {
  const auto images = data::load_cifar100("cifar-100-binary", data::Split::train);
  data::Loader batches(images, data::LoaderOpts::training({.batch = 128, .seed = 42}));
  Model<Net, backend::Default> model({.n = 128, .h = 32, .w = 32});
  fit(model, batches, {.epochs = 5, .out = "out"});
}
// [readme]
