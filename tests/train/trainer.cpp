#include "moecnn/train/trainer.hpp"

#include <doctest/doctest.h>

#include "io/scratch.hpp"
#include "moecnn/train/records.hpp"
#include "train/tiny.hpp"

using namespace moecnn;

TEST_CASE("a tiny network with a mixture learns a toy problem") {
  const auto train_set = tiny_images(90), test_set = tiny_images(50, 2);
  data::Loader train(train_set, tiny_loader()), test(test_set, test_loader());
  TinyModel model({.n = 8, .h = 8, .w = 8});
  const double before = evaluate(model, test).loss;
  std::vector<int> epochs;
  const TrainResult r = fit(
      model, train, test,
      {.epochs = 8, .schedule = schedule::Constant{1e-2}, .progress = silent(), .on_epoch = [&](const EpochRecord& e) {
         epochs.push_back(e.epoch);
       }});
  CHECK(r.step == 8 * 12);
  CHECK(r.epoch == 8);
  CHECK(r.ended == Ended::all_epochs);
  REQUIRE(r.epochs.size() == 8);
  CHECK(epochs == std::vector{0, 1, 2, 3, 4, 5, 6, 7});
  CHECK(r.epochs.back().loss < 0.5 * r.epochs.front().loss);
  REQUIRE(r.test);
  CHECK(r.test->top1() > 0.9);
  CHECK(r.test->top5() == 1);
  CHECK(r.test->loss < 0.5 * before);
  CHECK(r.test->images == 50);
  REQUIRE(r.mixtures.size() == 1);
  CHECK(r.mixtures[0].name == "mix");
  CHECK(r.mixtures[0].experts == 3);
  CHECK(r.mixtures[0].k == 2);
  double sum = 0;
  for (double s : r.epochs.back().mixtures[0].load) sum += s;
  CHECK(sum == doctest::Approx(1));
  CHECK(r.steps.back().step == 96);
  CHECK(r.steps.back().epoch == 8);
}

TEST_CASE("every optimiser, schedule and clipping run in the loop") {
  const auto set = tiny_images(40);
  const std::vector<AnyOptimizer> optimizers{Sgd{.momentum = 0.9, .nesterov = true}, Sgd{}, AdamW{}};
  const std::vector<AnySchedule> schedules{schedule::Cosine{.base = 0.05, .epochs = 3, .warm_up_epochs = 0.5},
                                           schedule::Poly{.base = 0.05, .epochs = 3}, schedule::Constant{0.01}};
  for (std::size_t i = 0; i < optimizers.size(); ++i) {
    data::Loader train(set, tiny_loader());
    TinyModel model({.n = 8, .h = 8, .w = 8});
    std::vector<StepInfo> seen;
    const auto r = fit(model, train,
                       {.epochs = 3,
                        .optimizer = optimizers[i],
                        .schedule = schedules[i],
                        .clip_norm = 0.5,
                        .log_steps = 1,
                        .progress = silent(),
                        .on_step = [&](const StepInfo& s) { seen.push_back(s); }});
    REQUIRE(seen.size() == 15);
    CHECK(seen[7].epoch == 1);
    CHECK(seen[7].batch == 2);
    CHECK(seen[7].gradient_norm > 0);
    CHECK(seen[7].lr == rate_at(schedules[i], {1, 2, 5}));
    CHECK(r.epochs.back().loss < r.epochs.front().loss);
    CHECK(r.steps.size() == 15);
    CHECK(r.steps[3].loss == doctest::Approx(seen[3].loss));
  }
}

TEST_CASE("max_steps ends a run inside an epoch, after a test") {
  const auto set = tiny_images(40);
  const Scratch out;
  data::Loader train(set, tiny_loader()), test(set, test_loader());
  TinyModel model({.n = 8, .h = 8, .w = 8});
  const auto r =
      fit(model, train, test, {.epochs = 3, .max_steps = 7, .out = out.dir(), .log_steps = 2, .progress = silent()});
  CHECK(r.step == 7);
  CHECK(r.ended == Ended::max_steps);
  CHECK(r.epoch == 1);
  CHECK(r.test);
  CHECK(std::filesystem::exists(out / "last.safetensors"));
  CHECK(std::filesystem::exists(out / "checkpoint.safetensors"));
  const TrainResult log = read_metrics(out / "metrics.jsonl");
  REQUIRE(log.steps.size() == r.steps.size());
  CHECK(log.steps.back().step == 6);
  CHECK(log.steps.back().loss == r.steps.back().loss);
  CHECK(log.steps.back().mixtures[0].load == r.steps.back().mixtures[0].load);
  CHECK(log.test->top1() == r.test->top1());
}

TEST_CASE("a loss that is no number stops the run and names step and layer") {
  const auto set = tiny_images(40);
  SUBCASE("in the images") {
    auto opts = tiny_loader();
    opts.transform = [](const data::ImageSet& s, int image, int, float* out) {
      std::fill_n(out, s.image_bytes(), image == 17 ? std::nanf("") : 0.5f);
    };
    opts.shuffle = false;
    data::Loader train(set, opts);
    TinyModel model({.n = 8, .h = 8, .w = 8});
    const auto text = error_of([&] { fit(model, train, {.progress = silent()}); });
    INFO(text);
    CHECK(has(text, "step 3"));
    CHECK(has(text, "the images themselves"));
  }
  SUBCASE("in a parameter inside an expert") {
    data::Loader train(set, tiny_loader());
    TinyModel model({.n = 8, .h = 8, .w = 8});
    const int id = model.params().find("mix.experts.1.conv.weight");
    REQUIRE(id >= 0);
    const auto text = error_of([&] {
      fit(model, train, {.progress = silent(), .on_step = [&](const StepInfo& s) {
                           if (s.step == 2) model.params().value<float>(id)[3] = INFINITY;
                         }});
    });
    INFO(text);
    CHECK(has(text, "step 3"));
    CHECK(has(text, "mix.experts.1.conv.weight"));
    CHECK(has(text, "lower the learning rate"));
  }
  SUBCASE("made by a layer out of finite numbers") {
    data::Loader train(set, tiny_loader());
    TinyModel model({.n = 8, .h = 8, .w = 8});
    auto& p = model.params();
    std::vector<float> huge(p.spec(p.find("fc.weight")).elements(), 3e38f);
    p.write(p.find("fc.weight"), huge.data());
    const auto text = error_of([&] { fit(model, train, {.progress = silent()}); });
    INFO(text);
    CHECK(has(text, "step 1"));
    CHECK(has(text, "comes out of layer 'fc' (linear)"));
    CHECK_FALSE(has(text, "learning rate"));  // none has been used yet
    CHECK_FALSE(has(text, "checkpoint"));
    CHECK(has(text, "look at the data and at the initial weights"));
  }
  SUBCASE("poisoned weights are never written") {
    const Scratch out;
    data::Loader train(set, tiny_loader());
    TinyModel model({.n = 8, .h = 8, .w = 8});
    const int id = model.params().find("fc.bias");
    const auto text = error_of([&] {
      fit(model, train, {.out = out.dir(), .progress = silent(), .on_step = [&](const StepInfo& s) {
                           if (s.step == 5) model.params().value<float>(id)[0] = NAN;
                         }});
    });
    CHECK(has(text, "fc.bias is not finite, so no checkpoint is written"));
    const auto file = io::TensorFile::open(out / "checkpoint.safetensors");
    CHECK(std::isfinite(file.read<float>("fc.bias")[0]));
  }
}

namespace {

/// Throws from its call number `at` on.
struct Refusing {
  static inline int calls = 0, at = 1;
  double operator()(const Routing&, BalanceGrad&) const {
    check(++calls < at, "this balance loss wants four experts");
    return 0;
  }
};

/// No loss, and from the second call on a gradient that is no number.
struct SpoiltSlope {
  static inline int calls = 0;
  double operator()(const Routing&, BalanceGrad& grad) const {
    grad.importance()[0] = ++calls > 2 ? std::nan("") : 0.0;
    return 0;
  }
};

}  // namespace

TEST_CASE("an error that a layer throws has the last word, without advice about learning rates") {
  const auto set = tiny_images(40);
  for (const int at : {1, 3}) {
    data::Loader train(set, tiny_loader());
    Model<TinyNet<Refusing>, backend::Reference<float>> model({.n = 8, .h = 8, .w = 8});
    Refusing::calls = 0, Refusing::at = at;
    const auto text = error_of([&] { fit(model, train, {.progress = silent()}); });
    INFO(text);
    CHECK(has(text, formatted("step {} (epoch 1, batch {}): the forward pass failed: layer 'mix'", at, at)));
    CHECK(has(text, "this balance loss wants four experts"));
    CHECK_FALSE(has(text, "learning rate"));
    CHECK(has(text, "last checkpoint") == (at > 1));
  }
}

TEST_CASE("a gradient that is no number stops the run before it reaches a parameter, with clipping and without") {
  const auto set = tiny_images(40);
  for (const double clip : {0.0, 1.0}) {
    const Scratch out;
    data::Loader train(set, tiny_loader());
    Model<TinyNet<SpoiltSlope>, backend::Reference<float>> model({.n = 8, .h = 8, .w = 8});
    const auto trained = model.params().trained<float>();
    std::vector<float> before;
    SpoiltSlope::calls = 0;
    const auto text = error_of([&] {
      fit(model, train,
          {.clip_norm = clip,
           .out = out.dir(),
           .checkpoint_steps = 1,
           .progress = silent(),
           .on_step = [&](const StepInfo&) { before.assign(trained.begin(), trained.end()); }});
    });
    INFO(text);
    CHECK(has(text, "step 3: the gradient of parameter conv1.weight is not finite, though the loss is "));
    CHECK(has(text, "lower the learning rate"));
    CHECK(std::equal(trained.begin(), trained.end(), before.begin(), before.end()));
    CHECK(checkpoint_step(out / "checkpoint.safetensors") == 2);
  }
}

TEST_CASE("a dead expert is told once, on screen and in the log") {
  const auto set = tiny_images(40);
  const Scratch out;
  data::Loader train(set, tiny_loader());
  using Plain = Model<TinyNet<balance::None, constraint::None>, backend::Reference<float>>;
  Plain model({.n = 8, .h = 8, .w = 8});
  auto& p = model.params();
  std::vector<float> bias{50, 50, -50};
  p.write(p.find("mix.gate.fc.bias"), bias.data());
  const auto r =
      fit(model, train, {.epochs = 4, .noise = false, .out = out.dir(), .watch_steps = 5, .progress = silent()});
  REQUIRE(r.warnings.size() == 1);
  CHECK(has(r.warnings[0], "step 5: mix: expert 2"));
  CHECK(read_metrics(out / "metrics.jsonl").warnings == r.warnings);
}

TEST_CASE("the test set is tried before the first step") {
  const auto set = tiny_images(40);
  auto wrong = tiny_images(20);
  wrong.class_names.push_back("fifth");
  const auto steps_until_error = [&](int image, bool rehearse, std::string& said) {
    auto tests = wrong;
    tests.labels[image] = 4;
    data::Loader train(set, tiny_loader()), test(tests, test_loader());
    TinyModel model({.n = 8, .h = 8, .w = 8});
    int steps = 0;
    TrainOpts opts{.progress = silent()};
    opts.rehearse_test = rehearse;
    opts.on_step = [&](const StepInfo&) { ++steps; };
    said = error_of([&] { fit(model, train, test, opts); });
    return steps;
  };
  std::string said;
  for (const int image : {8, 15, 16, 19}) {  // of the last two batches, the second of which has four images
    CAPTURE(image);
    CHECK(steps_until_error(image, true, said) == 0);
    CHECK(has(said, "the test set: "));
    CHECK(has(said, "label 4"));
  }
  CHECK(steps_until_error(7, true, said) == 5);
  CHECK(steps_until_error(19, false, said) == 5);
}

TEST_CASE("the rehearsal changes no bit of a run") {
  const auto set = tiny_images(40), tests = tiny_images(20, 2);
  std::vector<std::string> bits;
  std::vector<double> scores;
  for (const bool rehearse : {true, false}) {
    data::Loader train(set, tiny_loader()), test(tests, test_loader());
    TinyModel model({.n = 8, .h = 8, .w = 8});
    TrainOpts opts{.epochs = 2, .progress = silent()};
    opts.rehearse_test = rehearse;
    const auto r = fit(model, train, test, opts);
    bits.push_back(bits_of(model.params()));
    for (const auto& e : r.epochs) scores.push_back(e.test->loss);
    CHECK(r.test->images == 20);
  }
  CHECK(bits[0] == bits[1]);
  CHECK(std::vector(scores.begin(), scores.begin() + 2) == std::vector(scores.begin() + 2, scores.end()));
}

TEST_CASE("bad labels, options and folders are refused in words") {
  auto set = tiny_images(40);
  TinyModel model({.n = 8, .h = 8, .w = 8});
  {
    auto five = set;
    five.class_names.push_back("fifth");
    five.labels[3] = 4;
    data::Loader train(five, tiny_loader());
    CHECK(has(error_of([&] { fit(model, train, {.progress = silent()}); }), "label 4"));
  }
  data::Loader train(set, tiny_loader());
  CHECK(has(error_of([&] { fit(model, train, {.epochs = 0}); }), "number of epochs"));
  CHECK(has(error_of([&] { fit(model, train, {.optimizer = Sgd{.nesterov = true}}); }), "momentum"));
  CHECK(has(error_of([&] { fit(model, train, {.out = "/proc/nowhere", .progress = silent()}); }), "/proc/nowhere"));
  auto once = tiny_loader();
  once.epochs = 1;
  data::Loader short_train(set, once);
  CHECK(has(error_of([&] { fit(model, short_train, {.epochs = 2, .progress = silent()}); }), "ended after 5 steps"));
}

namespace {

/// The reference, which claims to make code now and then.
struct Coding final : Backend {
  backend::Reference<float> real;
  mutable int asked = 0;
  std::string title() const override { return "coding"; }
  DType dtype() const override { return real.dtype(); }
  Lowered lower(const Graph& g, const Flow& f, const Layouts& given) override { return real.lower(g, f, given); }
  ParameterMath& math() override { return real.math(); }
  /// Three pieces until the run begins, then two more between the first two records.
  CodeMade code_made() const override { return ++asked < 3 ? CodeMade{3, 0.5} : CodeMade{5, 0.75}; }
};

}  // namespace

TEST_CASE("code that the backend makes is in the record of its steps, and in no other") {
  const auto set = tiny_images(40);
  const Scratch out;
  data::Loader train(set, tiny_loader());
  AnyModel model(std::make_unique<Coding>(), {.n = 8, .h = 8, .w = 8}, {}, Net{});
  const auto r = fit(model, train, {.out = out.dir(), .log_steps = 1, .progress = silent()});
  const TrainResult log = read_metrics(out / "metrics.jsonl");
  REQUIRE(r.steps.size() == 5);
  REQUIRE(log.steps.size() == 5);
  for (std::size_t s = 0; s < 5; ++s) {
    CHECK(r.steps[s].code_made == (s == 1 ? 2 : 0));
    CHECK(r.steps[s].code_seconds == (s == 1 ? 0.25 : 0.0));
    CHECK(log.steps[s].code_made == r.steps[s].code_made);
    CHECK(log.steps[s].code_seconds == r.steps[s].code_seconds);
  }
  int lines = 0;
  for (const io::Json& line : io::read_json_lines(out / "metrics.jsonl")) lines += line["code_made"].whole_or(0) > 0;
  CHECK(lines == 1);
}
