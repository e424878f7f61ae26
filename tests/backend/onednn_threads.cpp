#if MOECNN_HAS_ONEDNN
#include "again.hpp"
#include "onednn_compare.hpp"

#include "moecnn/layer/batch_norm.hpp"
#include "moecnn/model/model.hpp"
#include "moecnn/moe/moe.hpp"
#include "moecnn/train/optimizer.hpp"

#include <fstream>

using namespace moecnn;

namespace {

template <int C>
struct Expert {
  static constexpr int in = C, out = C;
  Value<C> wire(Recorder& g, Value<C> x) const {
    const auto y = g("conv", Conv<C, C, ConvOpts{.kernel = 3, .pad = 1}>{}, x);
    return g.relu(g("bn", BatchNorm<C>{}, y));
  }
};

/// All of it on one thread with small maps, most of it on several with large ones.
template <int C>
struct Net {
  static constexpr int in = 3, out = 4;
  using Mix = MoE<Expert<C>, 3, TopK<2>, gate::GapLinear, balance::Importance>;
  Value<4> wire(Recorder& g, Value<3> image) const {
    auto x = g("conv1", Conv<3, C, ConvOpts{.kernel = 3, .pad = 1}>{}, image);
    x = g.max_pool(g.relu(g("bn1", BatchNorm<C>{}, x)), {.kernel = 2, .stride = 2});
    return g("fc", Linear<C, 4>{}, g.global_avg_pool(g("mix", Mix{}, x)));
  }
};

/// Parameters after some steps of training, and the logits of a forward pass with them.
template <int C>
struct Steps {
  std::vector<float> parameters, logits;

  explicit Steps(Extent images, int steps = 3) {
    Model<Net<C>, backend::OneDnn> model(images, {.seed = 3});
    const Rng rng(1, Purpose::other);
    std::vector<float> pixels(static_cast<std::size_t>(3 * images.n * images.pixels()));
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<float>(rng.uniform(i));
    std::vector<int> labels(static_cast<std::size_t>(images.n));
    for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int>(i % 4);
    auto& training = model.training();
    Optimizer optimizer(Sgd{.momentum = 0.9}, model.params());
    for (int s = 0; s < steps; ++s) {
      const StepContext step{.training = true, .seed = 1, .step = static_cast<std::uint64_t>(s)};
      training.set_images(pixels.data());
      training.set_labels(labels.data());
      training.forward(step);
      training.backward(step);
      optimizer.step(model.params(), 0.01);
    }
    for (int i = 0; i < model.params().size(); ++i)
      for (float v : model.params().template read<float>(i)) parameters.push_back(v);
    auto& inference = model.inference();
    inference.set_images(pixels.data());
    inference.forward({});
    logits = inference.template read<float>(inference.graph().outputs[0]);
  }
};

constexpr Extent small{8, 8, 8}, large{8, 64, 64};

#ifdef _OPENMP
/// The number of threads is as it was when this ends.
struct Threads {
  explicit Threads(int n) { omp_set_num_threads(n); }
  ~Threads() { omp_set_num_threads(before); }
  int before = omp_get_max_threads();
};

int threads_of_this_process() {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("Threads:")) return std::stoi(line.substr(8));
  return 0;
}
#endif

}  // namespace

#ifdef _OPENMP
TEST_CASE("child: train a small and a large network" * doctest::skip()) {
  const Steps<6> a(small);
  std::printf("small %d\n", threads_of_this_process());
  const Steps<32> b(large, 1);
  std::printf("large %d\n", threads_of_this_process());
}

TEST_CASE("a small network is trained on one thread, a large one on all") {
  const auto text = run_again("child: train a small and a large network", "OMP_NUM_THREADS=3 OMP_WAIT_POLICY=passive");
  CAPTURE(text);
  CHECK(number_after(text, "small") == 1);
  CHECK(number_after(text, "large") == 3);
}

TEST_CASE("a small network has the same bits with any number of threads") {
  const auto run = [](int n) {
    const Threads threads(n);
    return Steps<6>(small);
  };
  const Steps<6> one = run(1);
  for (int n : {2, 3}) {
    const Steps<6> more = run(n);
    CHECK(more.parameters == one.parameters);
    CHECK(more.logits == one.logits);
  }
}

TEST_CASE("forward passes of a large network have the same bits with any number of threads") {
  const auto run = [](int n) {
    const Threads threads(n);
    return Steps<32>(large, 0).logits;
  };
  const auto one = run(1);
  for (int n : {2, 3}) CHECK(run(n) == one);
}
#endif

TEST_CASE("whose the cores are changes no bit") {
  const Steps<32> own(large);
  detail::whose_cores = Cores::shared;
  const Steps<32> shared(large);
  detail::whose_cores = Cores::own;
  CHECK(shared.parameters == own.parameters);
  CHECK(shared.logits == own.logits);
}
#endif
