#include "moecnn/train/accumulator.hpp"

#include <doctest/doctest.h>

#include "io/scratch.hpp"
#include "moecnn/train/records.hpp"
#include "train/tiny.hpp"

using namespace moecnn;

namespace {

/// No batch norm and no mixture, whose results depend on what else is in the batch.
struct Plain {
  static constexpr int in = 3, out = 4;
  Value<4> wire(Recorder& g, Value<3> image) const {
    const auto x = g.relu(g("conv1", Conv<3, 6, ConvOpts{.kernel = 3, .stride = 2, .pad = 1, .bias = true}>{}, image));
    return g("fc", Linear<6, 4>{}, g.global_avg_pool(x));
  }
};

struct Run {
  std::vector<std::vector<double>> params;
  std::vector<StepInfo> steps;
  TrainResult result;
};

Run train(int images, int batch, int accumulate, const AnyOptimizer& optimizer, double clip = 0) {
  const auto set = tiny_images(images);
  data::Loader loader(set, tiny_loader(batch));
  Model<Plain, backend::Reference<double>> model({.n = batch, .h = 8, .w = 8});
  Run run;
  run.result = fit(model, loader,
                   {.epochs = 3,
                    .optimizer = optimizer,
                    .accumulate = accumulate,
                    .schedule = schedule::Cosine{.base = 1e-2, .epochs = 3, .warm_up_epochs = 1},
                    .clip_norm = clip,
                    .log_steps = 1,
                    .progress = silent(),
                    .on_step = [&](const StepInfo& s) { run.steps.push_back(s); }});
  for (int i = 0; i < model.params().size(); ++i) run.params.push_back(model.params().read(i));
  return run;
}

double furthest(const Run& a, const Run& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.params.size(); ++i)
    for (std::size_t j = 0; j < a.params[i].size(); ++j)
      most = std::max(most, std::abs(a.params[i][j] - b.params[i][j]));
  return most;
}

}  // namespace

TEST_CASE("four batches of 8 are a batch of 32, also where the last ones are smaller") {
  for (const auto& sizes : {std::pair{96, 32}, std::pair{44, 32}, std::pair{44, 64}}) {
    const int images = sizes.first, large = sizes.second;
    CAPTURE(images);
    for (const AnyOptimizer& optimizer : std::vector<AnyOptimizer>{Sgd{.momentum = 0.9, .weight_decay = 0.01}, Sgd{}}) {
      const Run whole = train(images, std::min(large, images), 1, optimizer, 0.5),
                parts = train(images, 8, large / 8, optimizer, 0.5);
      CHECK(furthest(whole, parts) < 1e-12);
      REQUIRE(parts.steps.size() == whole.steps.size());
      for (std::size_t s = 0; s < parts.steps.size(); ++s) {
        const StepInfo &a = parts.steps[s], &b = whole.steps[s];
        CHECK(a.step == b.step);
        CHECK(a.epoch == b.epoch);
        CHECK(a.images == b.images);
        CHECK(a.lr == b.lr);
        CHECK(a.loss == doctest::Approx(b.loss).epsilon(1e-12));
        CHECK(a.gradient_norm == doctest::Approx(b.gradient_norm).epsilon(1e-12));
        CHECK(parts.result.steps[s].step == whole.result.steps[s].step);
        CHECK(parts.result.steps[s].loss == doctest::Approx(whole.result.steps[s].loss).epsilon(1e-12));
      }
      CHECK(parts.result.step == whole.result.step);
    }
  }
  // Adam divides by the root of its second moment, so it needs a few digits more.
  CHECK(furthest(train(96, 32, 1, Adam{}), train(96, 8, 4, Adam{})) < 1e-10);
}

TEST_CASE("accumulating over one batch changes no bit") {
  ParamStore store;
  Graph g;
  g.params.push_back({"w", {5}});
  store.adopt(g, {});
  store.make_gradients();
  host::HostMath math;
  Accumulator one(1, store, math);
  std::ranges::fill(store.gradients<float>(), 0.1f);
  CHECK(one.add(store, 7, false));
  CHECK(store.gradients<float>()[3] == 0.1f);
  CHECK(one.waiting() == 0);
  Accumulator three(3, store, math);
  CHECK(three.add(store, 7, true));  // a last batch alone
  CHECK(store.gradients<float>()[3] == 0.1f);
  CHECK_FALSE(three.add(store, 6, false));
  CHECK(three.waiting() == 1);
  std::ranges::fill(store.gradients<float>(), 0.4f);
  CHECK(three.add(store, 2, true));
  CHECK(store.gradients<float>()[3] == doctest::Approx((6 * 0.1 + 2 * 0.4) / 8));
  CHECK(three.waiting() == 0);
  std::ranges::fill(store.gradients<float>(), 1.f);  // what was taken is gone
  CHECK_FALSE(three.add(store, 1, false));
  CHECK_FALSE(three.add(store, 1, false));
  CHECK(three.add(store, 1, false));
  CHECK(store.gradients<float>()[3] == doctest::Approx(1));
  CHECK(has(error_of([&] { Accumulator(0, store, math); }), "accumulate is 0"));
  store.limit_memory(MemoryLimit::bytes(16));
  CHECK(has(error_of([&] { Accumulator(2, store, math); }), "the sum of gradients over batches needs"));
}

TEST_CASE("a run that accumulates counts updates, writes checkpoints between them, and goes on to the same bits") {
  const auto set = tiny_images(60);  // 8 batches, the last of 4: updates of 3, 3 and 2 batches
  const auto sit = [&](const std::filesystem::path& out, std::int64_t max_steps, int accumulate = 3) {
    data::Loader train(set, tiny_loader());
    TinyModel model({.n = 8, .h = 8, .w = 8});  // with noise and a mixture
    const TrainResult r = fit(model, train,
                              {.epochs = 2,
                               .max_steps = max_steps,
                               .accumulate = accumulate,
                               .schedule = schedule::Cosine{.base = 1e-2, .epochs = 2},
                               .out = out,
                               .start = Start::resume_or_fresh,
                               .checkpoint_steps = 1,
                               .log_steps = 2,
                               .progress = silent()});
    return std::pair{bits_of(model.params()), r};
  };
  const Scratch whole;
  const auto [truth, result] = sit(whole.dir(), 0);
  CHECK(result.step == 6);
  REQUIRE(result.steps.size() == 4);  // after 2 and 4, and at the end of each epoch
  CHECK(result.steps[0].step == 2);
  CHECK(result.steps[0].epoch == doctest::Approx(6.0 / 8));
  CHECK(result.steps[1].step == 3);
  CHECK(result.epochs[0].step == 3);
  for (int stop = 1; stop < 6; ++stop) {
    CAPTURE(stop);
    const Scratch out;
    CHECK(sit(out.dir(), stop).second.step == stop);
    CHECK(checkpoint_step(out / "checkpoint.safetensors") == stop);
    CHECK((sit(out.dir(), 0).first == truth));
  }
  CHECK(has(error_of([&] { sit(whole.dir(), 0, 2); }), "gradient accumulation was '3 batches', is now '2 batches'"));
  CHECK(has(error_of([&] { sit("", 0, 0); }), "accumulate is 0"));
}

namespace {

/// No loss; it remembers how rows were weighted.
struct Seeing {
  static inline std::vector<std::vector<double>> seen;
  double operator()(const Routing& r, BalanceGrad&) const {
    const auto w = r.weights.flat();
    seen.emplace_back(w.begin(), w.end());
    return 0;
  }
};

}  // namespace

TEST_CASE("noise differs between the batches of one update") {
  auto set = tiny_images(8);
  for (int i = 1; i < 8; ++i) {
    std::copy_n(set.pixels.begin(), 3 * 64, set.pixels.begin() + i * 3 * 64);
    set.labels[i] = set.labels[0];
  }
  for (const bool noise : {true, false}) {
    data::Loader train(set, {.batch = 2, .threads = 0});
    Model<TinyNet<Seeing, constraint::None>, backend::Reference<double>> model({.n = 2, .h = 8, .w = 8});
    Seeing::seen.clear();
    fit(model, train, {.accumulate = 4, .schedule = schedule::Constant{0}, .noise = noise, .progress = silent()});
    REQUIRE(Seeing::seen.size() == 4);
    for (int b = 1; b < 4; ++b) CHECK((Seeing::seen[b] == Seeing::seen[b - 1]) == !noise);
  }
}
