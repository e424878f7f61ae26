#pragma once
/// Speed and memory of one network: training steps and inference, in turn with the convolution bound.

#include "harness.hpp"
#include "moecnn/backend/onednn.hpp"
#include "moecnn/backend/onednn/primitive.hpp"
#include "moecnn/model/model.hpp"
#include "moecnn/model/op_name.hpp"
#include "moecnn/train/optimizer.hpp"
#include "net/conv_bound.hpp"

#include <optional>

namespace bench {

/// Timed steps per network.
inline int rounds() { return env_int("MOECNN_BENCH_ROUNDS", 9); }

/// Training steps of a mixture after which memory is looked at: its peak must not grow with the steps.
inline int watched_steps() { return std::max(2, env_int("MOECNN_BENCH_STEPS", 40)); }

/// Targets and learning rate of the training steps; without targets, labels are drawn at random.
struct Training {
  moecnn::Targets targets = {};
  double rate = 0.01;
};

/// A model with a batch of random images, ready to step.
template <class Net>
class Setup {
 public:
  Setup(const Net& net, moecnn::Extent images, const moecnn::ModelOpts& opts, const Training& given = {})
      : model(images, opts, net), targets_(given.targets), rate_(given.rate) {
    const moecnn::Rng rng(1, moecnn::Purpose::other);
    pixels_.resize(static_cast<std::size_t>(3 * images.n * images.pixels()));
    for (std::size_t i = 0; i < pixels_.size(); ++i) pixels_[i] = static_cast<float>(2 * rng.uniform(i) - 1);
    if (!opts.training || targets_.begin() != targets_.end()) return;
    const auto& p = model.training();
    const auto classes = static_cast<std::uint64_t>(p.graph().edges[p.graph().nodes.back().inputs[0]].channels);
    const auto labels = static_cast<std::size_t>(p.graph().edges[p.graph().targets()[0]].elements());
    for (std::size_t i = 0; i < labels; ++i) labels_.push_back(static_cast<int>(rng.below(classes, i, 1)));
    targets_.add({"labels", labels_.data()});
  }
  moecnn::StepContext begin_training() { return begin_training(pixels_.data(), targets_); }
  void forward_backward() { forward_backward(pixels_.data(), targets_); }
  void train() { train(pixels_.data(), targets_); }

  moecnn::StepContext begin_training(const float* images, const moecnn::Targets& targets) {
    auto& p = model.training();
    p.set_images(images);
    for (const moecnn::Target& t : targets) p.set_target(t.name, t.data, t.dtype);
    return {.training = true, .seed = 1, .step = steps_++};
  }
  void forward_backward(const float* images, const moecnn::Targets& targets) {
    const auto step = begin_training(images, targets);
    model.training().forward(step);
    model.training().backward(step);
  }
  void train(const float* images, const moecnn::Targets& targets) {
    forward_backward(images, targets);
    if (!optimiser_) optimiser_.emplace(moecnn::Sgd{.momentum = 0.9}, model.params());
    optimiser_->step(model.params(), rate_);
  }
  void train(const float* images, const int* labels) {
    moecnn::Targets targets;
    targets.add({"labels", labels});
    train(images, targets);
  }
  void infer() {
    auto& p = model.inference();
    p.set_images(pixels_.data());
    p.forward({});
  }

  moecnn::Model<Net, moecnn::backend::OneDnn> model;

 private:
  std::optional<moecnn::Optimizer> optimiser_;
  std::vector<float> pixels_;
  std::vector<int> labels_;
  moecnn::Targets targets_;
  double rate_;
  std::uint64_t steps_ = 0;
};

/// Prints the operations that take most of a run's time. `count` 0: none.
template <class Net>
void print_dearest(Setup<Net>& s, const std::string& name, bool training, int count) {
  if (count <= 0) return;
  auto& program = training ? s.model.training() : s.model.inference();
  const auto& g = program.graph();
  std::vector<std::vector<double>> forward(g.nodes.size()), backward(g.nodes.size());
  for (int r = 0; r < 3; ++r) {
    const auto step = training ? s.begin_training() : moecnn::StepContext{};
    for (std::size_t n = 0; n < g.nodes.size(); ++n)
      forward[n].push_back(seconds([&] { program.lowered().kernels[n]->forward(step); }));
    for (std::size_t n = g.nodes.size(); n-- > 0;) backward[n].push_back(seconds([&] { program.backward(n, step); }));
  }
  std::map<std::string, double> by_kind;
  std::vector<std::pair<double, std::string>> nodes;
  double sum = 0;
  for (std::size_t n = 0; n < g.nodes.size(); ++n) {
    const double f = 1e3 * median(forward[n]), b = 1e3 * median(backward[n]);
    const std::string op = moecnn::op_name(g, g.nodes[n]);
    const auto& out = g.output_of(g.nodes[n]);
    nodes.emplace_back(f + b, fmt::format("{:8.2f} + {:8.2f} ms  {} {} → {}×{}×{}", f, b, op, g.nodes[n].name,
                                          out.channels, out.extent.h, out.extent.w));
    by_kind[op] += f + b;
    sum += f + b;
  }
  std::sort(nodes.rbegin(), nodes.rend());
  fmt::print("{}: {:.1f} ms; the dearest operations, forward + backward:\n", name, sum);
  for (std::size_t i = 0; i < nodes.size() && i < static_cast<std::size_t>(count); ++i)
    fmt::print("{}  {:.1f} %\n", nodes[i].second, 100 * nodes[i].first / sum);
  std::vector<std::pair<double, std::string>> kinds;
  for (const auto& [op, ms] : by_kind) kinds.emplace_back(ms, op);
  std::sort(kinds.rbegin(), kinds.rend());
  for (std::size_t i = 0; i < kinds.size() && i < static_cast<std::size_t>(2 * count); ++i)
    fmt::print("{:8.2f} ms  all of {}  {:.1f} %\n", kinds[i].first, kinds[i].second, 100 * kinds[i].first / sum);
}

/// MB that training plans for: activations, parameters with their gradients, the optimiser's state.
template <class Net>
double planned_mb(Setup<Net>& s) {
  const auto& store = s.model.params();
  double floats = 0;
  for (int i = 0; i < store.size(); ++i)
    floats += static_cast<double>(store.stored_elements(i)) * (store.spec(i).trained ? 3 : 1);
  return (static_cast<double>(s.model.arena_bytes()) + sizeof(float) * floats) / 1048576;
}

/// Memory and primitives that a mixture's steps add. Each step has new noise, so the row counts of its experts change.
inline void watch_memory(const std::function<void()>& step, const std::string& name, Results& r) {
  const int all = watched_steps(), warm = std::min(20, all / 2);
  for (int i = 0; i < warm; ++i) step();
  const double early = peak_memory_mb();
  const auto before = moecnn::onednn::cache_stats();
  for (int i = warm; i < all; ++i) step();
  const auto after = moecnn::onednn::cache_stats();
  const std::string span = fmt::format("_from_step_{}_to_{}/train/{}", warm, all, name);
  r.emplace_back("peak_memory_growth" + span, peak_memory_mb() / early, "ratio");
  r.emplace_back("primitives_made" + span, static_cast<double>(after.misses - before.misses), "primitives");
  r.emplace_back("ms_for_primitives" + span, 1e3 * (after.seconds - before.seconds), "ms");
}

/// Training steps or inference of one network. Names of results are `train/NAME/…` and so on. With
/// MOECNN_BENCH_PRECISION=bf16 maps are stored in bf16; the bound stays that of f32.
template <class Net>
Results run_net(const std::string& name, const Net& net, moecnn::Extent images, moecnn::ModelOpts opts, bool training,
                bool bound = true, const Training& given = {}) {
  opts.training = training;
  if (env_list("MOECNN_BENCH_PRECISION", "f32").front() == "bf16") opts.precision = moecnn::Precision::bf16;
  const std::string mode = training ? "train" : "infer", at = mode + "/" + name;
  const double before = peak_memory_mb(), start = now();
  Setup<Net> s(net, images, opts, given);
  const auto step = [&] { training ? s.train() : s.infer(); };
  step();
  const double first = now() - start, first_loss = training ? s.model.training().loss() : 0;
  for (int i = 0; i < 3; ++i) step();
  const moecnn::Graph g = s.model.recorded();
  Results watched;
  if (training && !g.routings.empty()) watch_memory(step, name, watched);
  const double peak = peak_memory_mb();  // before the bound allocates its own tensors
  std::vector<double> steps, bounds;
  for (int i = 0; i < 3; ++i) {  // step and bound in turn: the machine's speed drifts
    for (int j = 0; j < (training ? 1 : 2) * rounds(); ++j) steps.push_back(seconds(step));
    if (!bound) continue;
    const auto b = conv_bound(g, training, training ? std::max(3, rounds() / 2) : rounds());
    bounds.push_back(b.forward + b.backward_data + b.backward_weights);
  }
  const double median_step = median(steps);
  Results r;
  r.emplace_back(at + "/images_per_s", images.n / median_step, "images/s");
  if (bound) {
    r.emplace_back(at + "/bound_images_per_s", images.n / median(bounds), "images/s");
    r.emplace_back(at + "/ratio_to_bound", median(bounds) / median_step, "ratio");
  }
  r.emplace_back(at + "/step_ms", 1e3 * median_step, "ms");
  r.emplace_back("first_step_ms/" + at, 1e3 * first, "ms");
  r.emplace_back("peak_memory_mb/" + at, peak, "MB");
  r.emplace_back("memory_above_start_mb/" + at, peak - before, "MB");
  r.emplace_back("parameters/" + at, static_cast<double>(moecnn::parameter_count(g)), "parameters");
  if (training) {
    r.emplace_back("first_loss/" + at, first_loss, "nats");
    r.emplace_back("planned_mb/" + at, planned_mb(s), "MB");
    r.emplace_back("planned_of_used/" + at, planned_mb(s) / (peak - before), "ratio");
  }
  r.emplace_back("planned_activations_mb/" + at, static_cast<double>(s.model.arena_bytes()) / 1048576, "MB");
  if (training) {
    const auto stats = moecnn::onednn::cache_stats();
    r.emplace_back("primitives_made/" + at, static_cast<double>(stats.misses), "primitives");
    r.emplace_back("ms_for_primitives/" + at, 1e3 * stats.seconds, "ms");
  }
  r.insert(r.end(), watched.begin(), watched.end());
  print_dearest(s, at, training, env_int("MOECNN_BENCH_DEAREST", 0));
  return r;
}

}  // namespace bench
