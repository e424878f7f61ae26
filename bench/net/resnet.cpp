/// ResNet-18 on 32×32 images, plain and with the mixture at positions 1 and 4: images/s for training and inference, the
/// ratio to the convolution bound, peak memory, first-step latency, primitive-cache misses; and what more experts cost.
/// MOECNN_BENCH_ROUNDS (default 9) sets the number of timed steps, OMP_NUM_THREADS the threads.
#include "harness.hpp"
#include "moecnn/moecnn.hpp"
#include "moecnn/zoo/cifar_moe.hpp"

#ifdef MOECNN_HAS_ONEDNN
#include "moecnn/backend/onednn.hpp"
#include "net/conv_bound.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace moecnn;
constexpr Extent images{64, 32, 32};

int rounds() { return bench::env_int("MOECNN_BENCH_ROUNDS", 9); }

CifarMoENet net(int position, int experts = 4) {
  CifarMoENet n{.position = position, .experts = experts, .k = 2};
  n.balance = balance::Importance{};
  return n;
}
std::string name_of(int position) { return position == 0 ? "dense" : "moe" + std::to_string(position); }

/// A model with a batch of random images, ready to step.
struct Setup {
  explicit Setup(const CifarMoENet& n, bool training = true) : model(images, {.training = training}, n) {
    const Rng rng(1, Purpose::other);
    pixels.resize(std::size_t{64} * 3 * 32 * 32);
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<float>(2 * rng.uniform(i) - 1);
    for (int i = 0; i < 64; ++i) labels.push_back(i);
  }
  void forward_backward() {
    auto& p = model.training();
    p.set_images(pixels.data());
    p.set_labels(labels.data());
    const StepContext step{.training = true, .seed = 1, .step = steps++};
    p.forward(step);
    p.backward(step);
  }
  void train() {
    forward_backward();
    optimiser.step(model.params(), 0.01);
  }
  void infer() {
    auto& p = model.inference();
    p.set_images(pixels.data());
    p.forward({});
  }

  Model<CifarMoENet, backend::OneDnn> model;
  Optimizer<float> optimiser{Sgd{.momentum = 0.9}, model.params()};
  std::vector<float> pixels;
  std::vector<int> labels;
  std::uint64_t steps = 0;
};

bench::Results training(int position) {
  const std::string name = name_of(position);
  bench::Results r;
  const double before = bench::peak_memory_mb(), start = bench::now();
  Setup s(net(position));
  s.train();
  const double first = bench::now() - start;
  for (int i = 0; i < 3; ++i) s.train();
  const double peak = bench::peak_memory_mb();  // before the bound allocates its own tensors
  const auto misses = onednn::cache_stats().misses;
  const Graph g = s.model.recorded();
  std::vector<double> steps, bounds;
  for (int i = 0; i < 3; ++i) {  // step and bound in turn: the machine's speed drifts
    for (int j = 0; j < rounds(); ++j) steps.push_back(bench::seconds([&] { s.train(); }));
    const auto b = bench::conv_bound(g, true, std::max(3, rounds() / 2));
    bounds.push_back(b.forward + b.backward_data + b.backward_weights);
  }
  const double step = bench::median(steps), bound = bench::median(bounds);
  r.emplace_back("train/" + name + "/images_per_s", images.n / step, "images/s");
  r.emplace_back("train/" + name + "/bound_images_per_s", images.n / bound, "images/s");
  r.emplace_back("train/" + name + "/ratio_to_bound", bound / step, "ratio");
  r.emplace_back("train/" + name + "/step_ms", 1e3 * step, "ms");
  r.emplace_back("first_step_ms/train/" + name, 1e3 * first, "ms");
  r.emplace_back("peak_memory_mb/train/" + name, peak, "MB");
  r.emplace_back("memory_above_start_mb/train/" + name, peak - before, "MB");
  r.emplace_back("planned_activations_mb/train/" + name, s.model.training().plan().arena_bytes / 1048576.0, "MB");
  r.emplace_back("primitive_misses_in_" + std::to_string(3 * rounds()) + "_steps/" + name,
                 static_cast<double>(onednn::cache_stats().misses - misses), "primitives");
  return r;
}

bench::Results inference(int position) {
  const std::string name = name_of(position);
  bench::Results r;
  const double before = bench::peak_memory_mb(), start = bench::now();
  Setup s(net(position), /*training=*/false);
  s.infer();
  const double first = bench::now() - start;
  for (int i = 0; i < 3; ++i) s.infer();
  const double peak = bench::peak_memory_mb();
  const Graph g = s.model.recorded();
  std::vector<double> steps, bounds;
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 2 * rounds(); ++j) steps.push_back(bench::seconds([&] { s.infer(); }));
    bounds.push_back(bench::conv_bound(g, false, rounds()).forward);
  }
  const double step = bench::median(steps), bound = bench::median(bounds);
  r.emplace_back("infer/" + name + "/images_per_s", images.n / step, "images/s");
  r.emplace_back("infer/" + name + "/bound_images_per_s", images.n / bound, "images/s");
  r.emplace_back("infer/" + name + "/ratio_to_bound", bound / step, "ratio");
  r.emplace_back("infer/" + name + "/step_ms", 1e3 * step, "ms");
  r.emplace_back("first_step_ms/infer/" + name, 1e3 * first, "ms");
  r.emplace_back("peak_memory_mb/infer/" + name, peak, "MB");
  r.emplace_back("memory_above_start_mb/infer/" + name, peak - before, "MB");
  return r;
}

/// Position 1, k = 2: what a step costs as the number of experts grows.
bench::Results expert_count() {
  bench::Results r;
  Setup few(net(1, 4)), many(net(1, 32));
  for (int i = 0; i < 4; ++i) few.forward_backward(), many.forward_backward();
  const auto t =
      bench::medians_in_turn({[&] { few.forward_backward(); }, [&] { many.forward_backward(); }}, 2 * rounds());
  r.emplace_back("experts/4/forward_backward_ms", 1e3 * t[0], "ms");
  r.emplace_back("experts/32/forward_backward_ms", 1e3 * t[1], "ms");
  r.emplace_back("experts/32_over_4/time", t[1] / t[0], "ratio");
  r.emplace_back("experts/32_over_4/activation_memory",
                 static_cast<double>(many.model.training().plan().arena_bytes) /
                     static_cast<double>(few.model.training().plan().arena_bytes),
                 "ratio");
  return r;
}

}  // namespace

TEST_CASE("ResNet-18, 32x32, batch 64, f32") {
  bench::Results all;
  const auto run = [&](const std::function<bench::Results()>& work) {
    for (auto& result : bench::isolated(work)) all.push_back(result);
  };
  for (int position : {0, 1, 4}) run([=] { return training(position); });
  for (int position : {0, 1, 4}) run([=] { return inference(position); });
  run(expert_count);
  bench::report("resnet", all);
  CHECK(!all.empty());
}

#endif
