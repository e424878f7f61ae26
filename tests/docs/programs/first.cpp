// The program of docs/getting_started.md, from training to the class of one picture: compiled with the tests.
// [first_net]
#include <moecnn/backend/default.hpp>
#include <moecnn/data/decode.hpp>
#include <moecnn/data/image_input.hpp>
#include <moecnn/moecnn.hpp>
using namespace moecnn;

// An expert is any layer. This one halves the map: convolution, batch norm, ReLU.
struct ConvExpert {
  static constexpr int in = 32, out = 64;
  Value<out> wire(Recorder& g, Value<in> x) const {
    const auto y = g("conv", Conv<in, out, ConvOpts{.kernel = 3, .stride = 2, .pad = 1}>{}, x);
    return g.relu(g("bn", BatchNorm<out>{}, y));
  }
};

// Of four experts a gate picks two for every image; a loss asks it to use all four.
struct Net {
  static constexpr int in = 3;
  Value<100> wire(Recorder& g, Value<in> image) const {
    auto x = g("conv1", Conv<3, 32, ConvOpts{.kernel = 3, .stride = 2, .pad = 1}>{}, image);
    x = g.relu(g("bn1", BatchNorm<32>{}, x));
    const auto y = g("mixture", MoE<ConvExpert, 4, TopK<2>, gate::GapLinear, balance::Importance>{}, x);
    return g("fc", Linear<64, 100>{}, g.global_avg_pool(y));
  }
};
// [first_net]

// [first_train]
void train() {
  const auto images = data::synthetic(8000, /*seed=*/1, data::Split::train);  // or data::load_cifar100(folder, split)
  const auto test_images = data::synthetic(1000, /*seed=*/1, data::Split::test);
  data::Loader batches(images, data::LoaderOpts::training({.batch = 64, .seed = 42}));
  data::Loader test(test_images, {.batch = 64});

  Model<Net, backend::Default> model({.n = 64, .h = 32, .w = 32}, {.seed = 42});
  const TrainResult run = fit(
      model, batches, test,
      {.epochs = 4, .schedule = schedule::Cosine{.base = 2e-3, .epochs = 4}, .out = "out/first", .keep_best = true});
  fmt::print("{:.1f} % of the test images right\n", 100 * run.test->top1());
}
// [first_train]

// [first_evaluate]
void evaluate_weights() {
  const auto images = data::synthetic(1000, /*seed=*/1, data::Split::test);
  data::Loader test(images, {.batch = 64});

  Model<Net, backend::Default> model({.n = 64, .h = 32, .w = 32}, {.training = false});
  load_weights(model.params(), "out/first/best.safetensors");
  const Evaluation seen = evaluate(model, test);
  fmt::print("top-1 {:.1f} %, top-5 {:.1f} %\n", 100 * seen.top1(), 100 * seen.top5());
  for (double share : seen.routing[0].load_share()) fmt::print("{:.0f} % of the images\n", 100 * share);  // per expert
}
// [first_evaluate]

// [first_classify]
void classify(const std::string& file) {
  Model<Net, backend::Default> model({.n = 1, .h = 32, .w = 32}, {.training = false});
  load_weights(model.params(), "out/first/best.safetensors");

  auto& program = model.inference();
  program.set_images(data::image_input(data::read_image(file), 32, 32).data());  // PNG or JPEG of any size
  program.forward({});
  const auto logits = program.read(program.graph().outputs[0]);
  const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
  const Routing& routing = program.routing("mixture");
  fmt::print("{}: class {}", file, best);
  for (int e = 0; e < routing.experts; ++e)
    if (routing.weights(0, e) > 0) fmt::print(", expert {} with weight {:.2f}", e, routing.weights(0, e));
  fmt::print("\n");
}
// [first_classify]

int main(int argc, char** argv) {
  if (argc > 1) return classify(argv[1]), 0;
  train();
  evaluate_weights();
}
