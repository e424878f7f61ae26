// A program that is compiled with its own warnings, the library's headers included. run_warnings.cmake compiles it
// behind an #include of every header; here stand the templates that an ordinary program instantiates.
#include <moecnn/backend/default.hpp>
#include <moecnn/backend/reference.hpp>
#include <moecnn/moecnn.hpp>

#include <moecnn/analysis/evaluate_maps.hpp>
#include <moecnn/data/segmentation_loader.hpp>
#include <moecnn/model/any_net.hpp>
#include <moecnn/testing/check_gradients.hpp>
#include <moecnn/zoo/cifar_moe.hpp>
#include <moecnn/zoo/deeplabv3plus.hpp>
#include <moecnn/zoo/enet.hpp>
#include <moecnn/zoo/erfnet.hpp>
#include <moecnn/zoo/lraspp.hpp>
#include <moecnn/zoo/mobilenet_v3.hpp>
#include <moecnn/zoo/pspnet.hpp>
#include <moecnn/zoo/resnet.hpp>
#include <moecnn/zoo/resnet50.hpp>
#include <moecnn/zoo/unet.hpp>

using namespace moecnn;

using Stage = ResBlockMoE<NarrowBlocks<8, 6, 16>, 4, TopK<2>, gate::ConvGapLinear, balance::Importance,
                          constraint::RelativeImportance>;
using Chosen = MoE<Stage, dynamic, TopK<dynamic>, gate::Any, balance::Any, constraint::Any>;

struct Net {
  static constexpr int in = 3, out = 100;
  Value<out> wire(Recorder& g, Value<in> image) const {
    const auto x = g.relu(g("conv", Conv<3, 8, ConvOpts{.kernel = 3, .stride = 2}>{}, image));
    return g("fc", Linear<16, out>{}, g.global_avg_pool(g("mixture", Stage{}, x)));
  }
};

template <class Backend>
double one_of_everything(const char* folder) {
  const auto images = data::load_cifar100(folder, data::Split::train);
  data::Loader batches(images, {.batch = 8, .seed = 1}), test(images, {.batch = 8, .shuffle = false});
  Model<Net, Backend> model({.n = 8, .h = 32, .w = 32});
  const TrainResult ran = fit(model, batches, test, {.optimizer = Sgd{.momentum = 0.9}, .clip_norm = 1});
  fit(model, batches, {});
  save_weights(model.params(), "weights.safetensors");
  load_weights(model.params(), "weights.safetensors");
  load_part(model.params(), "weights.safetensors", "conv.", "conv.");
  const auto seen = analysis::predict(model, images);
  return ran.seconds + evaluate(model, test).top1() + analysis::top_k_accuracy(seen, images.labels, 1);
}

template <class Backend>
double maps(const data::SegmentationSet& set, AnyNet net) {
  data::SegmentationLoader batches(set);
  Model<AnyNet, Backend> model({.n = 8, .h = 64, .w = 64}, {}, std::move(net));
  fit(model, batches, {});
  return analysis::evaluate_maps(model, batches).loss;
}

int main(int, char** argv) {
  double sum = one_of_everything<backend::Default>(argv[0]) + one_of_everything<backend::Reference<double>>(argv[0]);
  const AnyNet nets[] = {ENet<19>{},
                         ERFNet<19>{},
                         UNet<19>{},
                         LrAspp<19>{},
                         PspNet<19>{},
                         DeepLabV3Plus<19>{},
                         CifarMoENet{},
                         CifarResNet18<100>{},
                         ResNet18<1000>{},
                         ResNet50<1000>{},
                         MobileNetV3Large<1000>{}};
  for (const AnyNet& net : nets) sum += maps<backend::Default>({}, net) + maps<backend::Reference<float>>({}, net);
  sum += testing::check_layer(Stage{}).error + testing::check_gate(gate::GapLinear{}).error +
         testing::check_balance(balance::Importance{}).error;
  return sum > record(Chosen{}, {.n = 1, .h = 8, .w = 8}).batch() ? 0 : 1;
}
