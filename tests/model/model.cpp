#include "moecnn/model/model.hpp"

#include "moe/mixture_nets.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using namespace mixture_test;

namespace {

struct SmallNet {
  static constexpr int in = 3, out = 6;
  int experts = 4;
  Value<6> wire(Recorder& g, Value<3> x) const {
    const auto y = g("layer1", BasicBlock<3, 4>{}, x);
    const auto z =
        g("layer2", mixture<BasicBlock<4, 4>>({.experts = experts, .router = top(2), .balance = balance::Importance{}}),
          y);
    return g("fc", Linear<4, 6>{}, g.global_avg_pool(z));
  }
};
using Small = Model<SmallNet, backend::Reference<double>>;

std::vector<double> result(Program& program, const test::Batch& batch, const StepContext& step) {
  test::forward(program, batch, step);
  return program.read(program.graph().outputs[0]);
}

}  // namespace

TEST_CASE("model: programs are made once per batch size and k, and share parameters") {
  Small model({4, 6, 6});
  auto& training = model.training();
  CHECK(&training == &model.training(4));
  CHECK(&model.training(3) != &training);
  auto& inference = model.inference();
  CHECK(&inference == &model.inference(4));
  CHECK(&model.inference(4, 3) != &inference);
  CHECK(model.inference(9).batch() == 9);
  CHECK(&inference == &model.inference());
  CHECK(inference.text() == "the inference program for 4 images of 6 × 6");
  CHECK(model.inference(1, 3).text() == "the inference program for 1 image of 6 × 6 with k = 3");

  const auto batch = test::random_batch(model.recorded(), 1);
  const auto before = result(inference, batch, {});
  CHECK(test::distance(result(training, batch, {}), before) < 1e-12);
  const int id = model.params().find("fc.bias");
  const std::vector<double> bias{1, 2, 3, 4, 5, 6};
  model.params().write(id, bias.data());
  const auto after = result(inference, batch, {});
  for (std::size_t i = 0; i < after.size(); ++i) CHECK(after[i] - before[i] != 0);
  CHECK(test::distance(result(training, batch, {}), after) < 1e-12);
}

TEST_CASE("model: a training step's loss and gradients are those of the recorded graph") {
  Small model({5, 6, 6}, {.seed = 7});
  const Graph recorded = model.recorded();
  const auto batch = test::random_batch(recorded, 2);
  auto& program = model.training();
  const StepContext step{.training = true, .seed = 7, .noise_off = true};
  program.set_images(batch.images.data());
  program.set_labels(batch.labels.data());
  program.forward(step);
  program.backward(step);

  Graph g = recorded;
  g.outputs.push_back(Recorder(g).cross_entropy(g.outputs[0]));
  test::Rig<backend::Reference<double>> rig;
  auto& plain = rig.add_training(g);
  rig.store.initialise(7);
  const auto expected = test::run(rig, plain, batch, step);
  CHECK(program.loss() + program.balance_loss() == doctest::Approx(expected.loss).epsilon(1e-12));
  CHECK(program.balance_loss() > 0);
  for (int i = 0; i < rig.store.size(); ++i) {
    if (!rig.store.spec(i).trained) continue;
    const double* grad = model.params().grad<double>(i);
    CAPTURE(rig.store.spec(i).name);
    const auto& truth = expected.param_grad[static_cast<std::size_t>(i)];
    std::vector<double> found(grad, grad + truth.size());
    if (test::norm(truth) > 1e-6) CHECK(test::distance(found, truth) < 1e-9);
  }
}

TEST_CASE("model: the seed decides the initial weights, and the inference model starts as the training model") {
  Small a({4, 6, 6}, {.seed = 1}), b({2, 9, 9}, {.seed = 1, .training = false}), c({4, 6, 6}, {.seed = 2});
  for (int i = 0; i < a.params().size(); ++i) {
    CHECK(a.params().read(i) == b.params().read(b.params().find(a.params().spec(i).name)));
    const std::string& name = a.params().spec(i).name;
    if (name.ends_with("conv1.weight")) CHECK(a.params().read(i) != c.params().read(i));
  }
}

TEST_CASE("model: made for inference it takes no gradient memory and does not train") {
  Small model({4, 6, 6}, {.training = false});
  CHECK(!model.params().has_gradients());
  CHECK_THROWS_WITH_AS(model.training(),
                       "this model was made for inference; construct it with .training = true to train it", Error);
  const auto batch = test::random_batch(model.recorded(), 1);
  CHECK(test::detail::finite(result(model.inference(), batch, {})));
}

TEST_CASE("model: values named in `keep` are readable after training and inference") {
  Small model({4, 6, 6}, {.keep = {"layer1", "layer2"}});
  const auto batch = test::random_batch(model.recorded(), 1);
  for (auto* program : {&model.training(), &model.inference()}) {
    test::forward(*program, batch, {});
    const auto y = program->read("layer1");
    CHECK(y.size() == 4 * 4 * 6 * 6);
    CHECK(*std::min_element(y.begin(), y.end()) == 0);  // behind its ReLU
    CHECK(program->read("layer2").size() == y.size());
    CHECK_THROWS_AS(program->read("layer1.conv1"), Error);
  }
  CHECK_THROWS_WITH_AS(Small({4, 6, 6}, {.keep = {"layer7"}}),
                       "there is no value named \"layer7\" to keep; names are those given in wire(), joined by dots",
                       Error);
}

namespace {

/// A stage, and a resize that has nothing to do where the images have 6 × 6 pixels.
struct Resizes {
  static constexpr int in = 3;
  struct ToSix {
    template <int C>
    Value<C> wire(Recorder& g, Value<C> x) const {
      return g.resize(x, 6);
    }
  };
  Value<4> wire(Recorder& g, Value<3> x) const {
    const auto a = g("layer1", ResStage<4, 4>{}, g("stem", Conv<3, 4>{}, x));
    return g("fc", Linear<4, 4>{}, g.global_avg_pool(g("up", ToSix{}, a)));
  }
};

}  // namespace

TEST_CASE("model: a kept value is found by all its names, whatever the size of the images") {
  using Resizing = Model<Resizes, backend::Reference<double>>;
  const std::vector<std::string> names{"layer1", "layer1.1", "up", "layer1.0"};
  for (const Extent images : {Extent{2, 6, 6}, Extent{2, 5, 7}}) {
    Resizing model(images, {.keep = names});
    const auto batch = test::random_batch(model.recorded(), 1);
    for (auto* program : {&model.training(), &model.inference()}) {
      test::forward(*program, batch, {});
      const auto stage = program->read("layer1");
      CHECK(stage.size() == static_cast<std::size_t>(2 * 4 * images.h * images.w));
      CHECK(program->read("layer1.1") == stage);
      CHECK(program->read("layer1.0") != stage);
      CHECK(program->read("up").size() == 2 * 4 * 36);
      CHECK((program->read("up") == stage) == (images.h == 6));
    }
    // One name is enough to keep it.
    Resizing one(images, {.keep = {"layer1.1"}});
    test::forward(one.inference(), batch, {});
    CHECK(one.inference().read("layer1") == one.inference().read("layer1.1"));
  }
}

TEST_CASE("model: an inference program made between forward and backward ends the step with a clear error") {
  for (const int rows : {256, 1}) {  // the second fits into the memory that is there
    Small model({4, 6, 6});
    const auto batch = test::random_batch(model.recorded(), 2), many = test::random_batch(model.recorded(rows), 3);
    const StepContext step{.training = true, .noise_off = true};
    auto& training = model.training();
    training.set_images(batch.images.data());
    training.set_labels(batch.labels.data());
    training.forward(step);
    auto& inference = model.inference(rows);
    inference.set_images(many.images.data());
    inference.forward({});
    CAPTURE(rows);
    try {
      training.backward(step);
      FAIL_CHECK("a step backwards through another program's values");
    } catch (const Error& e) {
      const std::string words = e.what();
      CHECK(words.find("the values of the training program for 4 images of 6 × 6 are gone") == 0);
      CHECK(words.find("the inference program for " + std::to_string(rows) + " image") != std::string::npos);
    }
  }
}

TEST_CASE("model: inference programs share the weights that they derive, and see parameters change") {
  Model<Resizes, backend::Reference<double>> model({4, 6, 6});
  const auto pool = [&] { return model.params().derived().bytes(); };
  CHECK(pool() == 0);
  auto& four = model.inference(4);
  const std::size_t one = pool();
  CHECK(one > 0);
  auto& three = model.inference(3);
  CHECK(pool() == one);
  const auto batch = test::random_batch(model.recorded(), 1);
  const auto first_rows = [&](Program& p) {
    test::forward(p, batch, {});
    auto y = p.read(p.graph().outputs[0]);
    y.resize(static_cast<std::size_t>(3 * p.graph().edges[p.graph().outputs[0]].elements() / p.batch()));
    return y;
  };
  const auto before = first_rows(four);
  CHECK(test::distance(first_rows(three), before) < 1e-12);
  for (int i = 0; i < model.params().size(); ++i) {
    auto v = model.params().read(i);
    for (double& x : v) x *= 1.5;
    model.params().write(i, v.data());
  }
  const auto after = first_rows(three);  // refreshes them, and the other program finds them refreshed
  CHECK(test::distance(after, before) > 0.1);
  CHECK(test::distance(first_rows(four), after) < 1e-12);
}

TEST_CASE("model: a program runs only with targets that are still there") {
  Small model({4, 6, 6});
  const auto batch = test::random_batch(model.recorded(), 2);
  auto& training = model.training();
  const auto begin = [&] { training.set_images(batch.images.data()); };
  const char* const expected =
      "the training program for 4 images of 6 × 6 wants the target \"labels\"; give it by set_target() after "
      "set_images()";
  begin();
  CHECK_THROWS_WITH_AS(training.forward({.training = true}), expected, Error);
  training.set_labels(batch.labels.data());
  training.forward({.training = true});
  const double loss = training.loss();
  training.forward({.training = true});  // the same step once more
  CHECK(training.loss() == loss);
  test::forward(model.inference(), batch, {});  // takes the memory
  begin();
  CHECK_THROWS_WITH_AS(training.forward({.training = true}), expected, Error);
}

TEST_CASE("model: an empty batch is refused") {
  CHECK_THROWS_AS(Small({0, 6, 6}), Error);
  Small model({2, 6, 6});
  CHECK_THROWS_AS(model.training(-1), Error);
  CHECK_THROWS_AS(model.inference(-1), Error);
  CHECK(model.inference(1).batch() == 1);
}

TEST_CASE("model: partial batches train like full ones of that size") {
  Small large({8, 6, 6}), small({3, 6, 6});
  const auto batch = test::random_batch(small.recorded(), 1);
  const StepContext step{.training = true, .noise_off = true};
  auto &a = large.training(3), &b = small.training();
  for (auto* p : {&a, &b}) {
    p->set_images(batch.images.data());
    p->set_labels(batch.labels.data());
    p->forward(step);
    p->backward(step);
  }
  CHECK(a.loss() == b.loss());
  CHECK(std::ranges::equal(large.params().gradients<double>(), small.params().gradients<double>()));
}

namespace {

/// Logits per pixel, an auxiliary head, dropout between norm and sum.
struct TwoHeads {
  static constexpr int in = 3;
  Value<4> wire(Recorder& g, Value<3> x) const {
    const auto a = g("stem", Conv<3, 4, ConvOpts{.kernel = 3, .pad = 1}>{}, x);
    const auto b = g.spatial_dropout(g("bn", BatchNorm<4>{}, g("conv", Conv<4, 4>{}, a)), 0.3);
    g("aux", Conv<4, 4, ConvOpts{.bias = true}>{}, g.relu(a));
    return g("head", Conv<4, 4, ConvOpts{.bias = true}>{}, g.relu(g.add(a, b)));
  }
};

}  // namespace

TEST_CASE("model: an auxiliary head learns, adds its share to the loss, and is not there in inference") {
  using Heads = Model<TwoHeads, backend::Reference<double>>;
  Heads model({2, 5, 6},
              {.task = task::Classify({.ignore = 255, .class_weights = {1, 2, 3, 4}}), .auxiliary = {{"aux", 0.4}}});
  Heads without({2, 5, 6}, {.task = task::Classify({.ignore = 255, .class_weights = {1, 2, 3, 4}})});
  const auto batch = test::random_batch(model.training().graph(), 3);
  CHECK(batch.labels.size() == 60);
  CHECK(std::count(batch.labels.begin(), batch.labels.end(), 255) == 12);
  const auto step = [&](Heads& m) {
    auto& program = m.training();
    program.set_images(batch.images.data());
    program.set_labels(batch.labels.data());
    program.forward({.training = true});
    program.backward({.training = true});
    return program.losses();
  };
  const auto both = step(model), one = step(without);
  REQUIRE(both.size() == 2);
  CHECK(both[0].mean == one[0].mean);  // the network's own loss comes first
  CHECK(model.training().loss() == both[0].mean + 0.4 * both[1].mean);
  const auto gradient = [](Heads& m, const char* name) {
    const int id = m.params().find(name);
    return std::abs(m.params().grad<double>(id)[0]);
  };
  CHECK(gradient(model, "aux.bias") > 0);
  CHECK(gradient(without, "aux.bias") == 0);
  for (const Node& n : model.inference().graph().nodes) {
    CHECK(n.name != "aux");
    CHECK_FALSE(std::holds_alternative<ops::Dropout>(n.op));
    CHECK_FALSE(std::holds_alternative<ops::BatchNorm>(n.op));  // they see through the dropout
    CHECK_FALSE(std::holds_alternative<ops::Add>(n.op));
  }
  CHECK_THROWS_AS(Heads({2, 5, 6}, {.auxiliary = {{"auxiliary", 0.4}}}), Error);
}
