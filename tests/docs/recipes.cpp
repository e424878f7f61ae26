// The code of docs/recipes.md. Text between two `// [name]` markers is shown there word for word.
#include "graph_runs.hpp"  // kernels that are compiled once
#include "io/scratch.hpp"
#include "moecnn/data/loader.hpp"
#include "moecnn/data/synthetic.hpp"
#include "moecnn/layer/batch_norm.hpp"
#include "moecnn/model/model.hpp"
#include "moecnn/moe/moe.hpp"
#include "moecnn/train/trainer.hpp"

#include <doctest/doctest.h>

using namespace moecnn;

namespace {

// [recipe_nets]
struct Block {
  static constexpr int in = 8, out = 12;
  Value<out> wire(Recorder& g, Value<in> x) const {
    return g.relu(g("bn", BatchNorm<out>{}, g("conv", Conv<in, out, ConvOpts{.kernel = 3, .pad = 1}>{}, x)));
  }
};

/// Stage is Block, or a mixture whose experts are Blocks.
template <class Stage>
struct Net {
  static constexpr int in = 3;
  Value<5> wire(Recorder& g, Value<in> image) const {
    const auto x = g.relu(g("stem", Conv<3, 8, ConvOpts{.kernel = 3, .pad = 1, .bias = true}>{}, image));
    return g("fc", Linear<12, 5>{}, g.global_avg_pool(g("stage", Stage{}, x)));
  }
};

using Dense = Net<Block>;
using Sparse = Net<MoE<Block, 4, TopK<2>, gate::GapLinear, balance::Importance>>;
// [recipe_nets]

// [average]
/// Exponential moving average of all trained parameters.
class Average {
 public:
  Average(const ParamStore& store, double decay)
      : values_(store.trained<float>().begin(), store.trained<float>().end()), decay_(static_cast<float>(decay)) {}

  /// To be called after every step: average ← decay · average + (1 - decay) · parameter.
  void add(const ParamStore& store) {
    for (std::size_t i = 0; i < values_.size(); ++i)
      values_[i] = decay_ * values_[i] + (1 - decay_) * store.trained<float>()[i];
  }
  /// Exchanges the parameters and their average: before an evaluation or save_weights(), and once more after it.
  void swap(ParamStore& store) {
    std::swap_ranges(values_.begin(), values_.end(), store.trained<float>().begin());
    store.touch();
  }

 private:
  std::vector<float> values_;
  float decay_;
};
// [average]

// [accumulate]
/// One step of an optimiser on the mean of the gradients of several batches. `next_batch()` gives them one after the
/// other, with images, labels and count. Returns the mean loss, balance losses included.
template <class Next>
double accumulate(AnyModel& model, Optimizer& optimizer, double lr, int parts, std::uint64_t step, Next next_batch) {
  auto& store = model.params();
  std::vector<float> sum(store.trained_elements());
  double loss = 0;
  for (int part = 0; part < parts; ++part) {
    const auto& batch = next_batch();
    auto& program = model.training(batch.count);
    const StepContext context{.training = true, .seed = 42, .step = step * parts + part};  // a noise of its own
    program.set_images(batch.images);
    program.set_labels(batch.labels);
    program.forward(context);
    program.backward(context);  // writes all gradients anew
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += store.gradients<float>()[i] / parts;
    loss += (program.loss() + program.balance_loss()) / parts;
  }
  std::copy(sum.begin(), sum.end(), store.gradients<float>().begin());
  optimizer.step(store, lr);
  return loss;
}
// [accumulate]

struct Plain {
  static constexpr int in = 3;
  Value<5> wire(Recorder& g, Value<in> x) const {
    return g("fc", Linear<8, 5>{}, g.global_avg_pool(g.relu(g("conv", Conv<3, 8, ConvOpts{.kernel = 3}>{}, x))));
  }
};

struct SomeBatch {
  std::vector<float> pixels;
  std::vector<int> classes;
  const float* images = nullptr;
  const int* labels = nullptr;
  int count = 0;

  explicit SomeBatch(int n) : pixels(n * 3 * 64u), classes(n), count(n) {
    const Rng rng(5, Purpose::other);
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<float>(rng.normal(i));
    for (int i = 0; i < n; ++i) classes[i] = i % 5;
    images = pixels.data(), labels = classes.data();
  }
  SomeBatch(const SomeBatch& whole, int first, int n)
      : images(whole.images + first * 3 * 64), labels(whole.labels + first), count(n) {}
};

using Reference = backend::Reference<float>;

std::vector<double> logits(AnyModel& model, const SomeBatch& batch) {
  auto& program = model.inference(batch.count);
  program.set_images(batch.images);
  program.forward({});
  return program.read(program.graph().outputs[0]);
}

std::vector<std::vector<double>> all_of(const ParamStore& store) {
  std::vector<std::vector<double>> all;
  for (int i = 0; i < store.size(); ++i) all.push_back(store.read(i));
  return all;
}

}  // namespace

TEST_CASE("an upcycled network computes what the dense one did, and then learns") {
  const Scratch folder;
  const SomeBatch batch(8);
  Model<Dense, Reference> dense({.n = 8, .h = 8, .w = 8}, {.seed = 1});
  Optimizer optimizer(Adam{}, dense.params());
  for (std::uint64_t step = 0; step < 3; ++step)
    accumulate(dense, optimizer, 1e-2, 1, step, [&]() -> const SomeBatch& { return batch; });
  const auto file = folder / "dense.safetensors";
  save_weights(dense.params(), file);

  Model<Sparse, Reference> sparse({.n = 8, .h = 8, .w = 8}, {.seed = 2});
  UpcycleOpts exact{.noise = 0};
  load_upcycled(sparse.params(), file, exact);
  const auto wanted = logits(dense, batch), found = logits(sparse, batch);
  for (std::size_t i = 0; i < wanted.size(); ++i) CHECK(found[i] == doctest::Approx(wanted[i]).epsilon(1e-4));

  const auto& path = file;
  // [upcycle]
  // Experts get noise of a tenth of each tensor's own deviation; gates keep their random weights.
  load_upcycled(sparse.params(), path, {.noise = 0.1, .scale = UpcycleOpts::Scale::relative});
  // [upcycle]

  Optimizer rule(Adam{}, sparse.params());
  const auto learn = [&](std::uint64_t step) {
    return accumulate(sparse, rule, 1e-2, 1, step, [&]() -> const SomeBatch& { return batch; });
  };
  const double first = learn(0);
  for (std::uint64_t step = 1; step < 20; ++step) learn(step);
  CHECK(learn(20) < 0.8 * first);
}

TEST_CASE("accumulated gradients are those of the large batch") {
  const SomeBatch whole(12);
  Model<Plain, Reference> once({.n = 12, .h = 8, .w = 8}, {.seed = 3}), parts({.n = 4, .h = 8, .w = 8}, {.seed = 3});
  Optimizer a(Sgd{.momentum = 0.9}, once.params()), b(Sgd{.momentum = 0.9}, parts.params());
  for (std::uint64_t step = 0; step < 3; ++step) {
    int first = -4;
    SomeBatch part(whole, 0, 4);
    const double loss = accumulate(once, a, 0.1, 1, step, [&]() -> const SomeBatch& { return whole; });
    const double mean = accumulate(parts, b, 0.1, 3, step, [&]() -> const SomeBatch& {
      first += 4;
      return part = SomeBatch(whole, first, 4);
    });
    CHECK(mean == doctest::Approx(loss).epsilon(1e-5));
  }
  const auto x = all_of(once.params()), y = all_of(parts.params());
  for (std::size_t i = 0; i < x.size(); ++i)
    for (std::size_t j = 0; j < x[i].size(); ++j) CHECK(y[i][j] == doctest::Approx(x[i][j]).epsilon(1e-4));
}

TEST_CASE("the average follows its formula, and swapping twice changes nothing") {
  const SomeBatch batch(8);
  Model<Plain, Reference> model({.n = 8, .h = 8, .w = 8}, {.seed = 3});
  auto& store = model.params();
  const int id = store.find("fc.weight");
  Average average(store, 0.5);
  const auto start = static_cast<float>(store.read(id)[0]);
  Optimizer rule(Sgd{}, store);
  float wanted = start;
  for (std::uint64_t step = 0; step < 3; ++step) {
    accumulate(model, rule, 0.5, 1, step, [&]() -> const SomeBatch& { return batch; });
    average.add(store);
    wanted = 0.5f * wanted + 0.5f * static_cast<float>(store.read(id)[0]);
  }
  const auto before = all_of(store);
  const auto seen = logits(model, batch);
  average.swap(store);
  CHECK(store.read(id)[0] == wanted);
  CHECK(wanted != before[id][0]);
  CHECK(logits(model, batch) != seen);  // programs see it
  average.swap(store);
  CHECK(all_of(store) == before);
  CHECK(logits(model, batch) == seen);
}

TEST_CASE("fine-tuning: a frozen stem, a slow stage, a head of its own, several batches per update") {
  auto images = data::synthetic(32, /*seed=*/1, data::Split::train);
  for (int& label : images.labels) label %= 5;
  images.class_names.resize(5);
  data::Loader batches(images, {.batch = 4, .shuffle = true, .seed = 1});
  // [frozen_norms]
  Model<Sparse, Reference> model({.n = 4, .h = 32, .w = 32}, {.frozen_norms = {"stage.*"}});
  // [frozen_norms]
  const auto& store = model.params();
  const auto before = all_of(store);
  // [groups]
  const TrainOpts opts{.epochs = 1,
                       .optimizer = AdamW{.weight_decay = 0.05},
                       .groups = {{.pattern = "stage.*", .rate = 0.1},
                                  {.pattern = "stage.gate.*", .rate = 0.1, .weight_decay = 0},
                                  {.pattern = "stem.*", .frozen = true}},
                       .no_decay_on_norms_and_biases = true,
                       .accumulate = 4,
                       .schedule = schedule::LinearWarmUp{.then = schedule::Constant{1e-3}, .steps = 1000}};
  const TrainResult run = fit(model, batches, opts);
  // [groups]
  CHECK(run.step == 2);
  for (int i = 0; i < store.size(); ++i) {
    const std::string& name = store.spec(i).name;
    CAPTURE(name);
    CHECK((store.read(i) == before[i]) == (name.starts_with("stem.") || name.find(".bn.") != name.npos));
  }
}

TEST_CASE("averaging with the trainer") {
  auto images = data::synthetic(32, /*seed=*/1, data::Split::train);
  for (int& label : images.labels) label %= 5;
  images.class_names.resize(5);
  data::Loader batches(images, {.batch = 16, .shuffle = true, .seed = 1}), test(images, {.batch = 16});
  Model<Sparse, Reference> model({.n = 16, .h = 32, .w = 32}, {.seed = 2});
  auto& store = model.params();
  const auto before = all_of(store);
  // [average_fit]
  Average average(model.params(), 0.99);
  const auto test_average = [&](const StopAsked&) {
    average.swap(model.params());
    const TestRecord seen = evaluate(model, test).record();
    average.swap(model.params());
    return seen;
  };
  fit(model, batches,
      {.epochs = 2, .test = test_average, .on_step = [&](const StepInfo&) { average.add(model.params()); }});
  // [average_fit]
  const int id = store.find("fc.weight");
  const auto trained = store.read(id);
  average.swap(store);
  const auto averaged = store.read(id);
  CHECK(averaged != trained);
  // Four steps with decay 0.99: the average is still near the beginning.
  double moved = 0, averaged_moved = 0;
  for (std::size_t i = 0; i < averaged.size(); ++i) {
    moved = std::max(moved, std::abs(trained[i] - before[id][i]));
    averaged_moved = std::max(averaged_moved, std::abs(averaged[i] - before[id][i]));
  }
  CHECK(averaged_moved > 0);
  CHECK(averaged_moved < 0.05 * moved);
}
