#include "moecnn/model/detect.hpp"

#include "check_layer.hpp"
#include "moecnn/layer/conv.hpp"
#include "moecnn/model/model.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using namespace moecnn::test;

namespace {

/// Two levels with 2 anchors per pixel and 3 classes.
struct Detector {
  static constexpr int in = 3;
  bool sigmoid = true;

  struct Result {
    std::vector<int> all;
    std::vector<int> edges() const { return all; }
  };
  Result wire(Recorder& g, Value<3> image) const {
    const auto coarse = g.max_pool(image, {.kernel = 2, .stride = 2});
    Result r;
    for (const auto& x : {image, coarse}) {
      const auto y = g("scores", Conv<3, 6, ConvOpts{.kernel = 3, .pad = 1, .bias = true}>{}, x);
      // (sigmoid x)² is a probability as well, and not one that comes from a sigmoid
      r.all.push_back(sigmoid ? g.sigmoid(y).edge : g.square(g.sigmoid(y)).edge);
    }
    for (const auto& x : {image, coarse})
      r.all.push_back(g("deltas", Conv<3, 8, ConvOpts{.kernel = 3, .pad = 1, .bias = true}>{}, x).edge);
    return r;
  }
};

Graph with_losses(const DetectionLossOpts& opts, bool sigmoid = true, Extent images = {3, 5, 7}) {
  Graph g = record(Detector{sigmoid}, images);
  Recorder recorder(g);
  task::Detect(opts, 2).losses(recorder, g.outputs[0], 1);
  return g;
}

}  // namespace

TEST_CASE("detect: gradients of both losses, of logits and of probabilities") {
  for (const bool sigmoid : {true, false})
    for (const double clamp : {1e-4, 0.1, 0.0})
      for (const double gamma : {2.0, 1.5, 0.0}) {
        if (!sigmoid && clamp == 0) continue;
        CAPTURE(sigmoid);
        CAPTURE(clamp);
        CAPTURE(gamma);
        CHECK(check_graph(with_losses({.gamma = gamma, .clamp = clamp, .class_factor = 0.7}, sigmoid)) == "");
      }
  CHECK(check_graph(with_losses({.corner = 0, .box_divisor = 1, .box_factor = 3})) == "");
}

TEST_CASE("detect: float agrees with double") {
  for (const bool sigmoid : {true, false})
    CHECK(check_graph_parity<backend::Reference<float>>(with_losses({}, sigmoid, {2, 20, 40})) == "");
}

namespace {

/// Both losses by their formulas, anchor by anchor, from the maps of a program that has run.
std::array<LossResult, 2> by_hand(const Program& program, const Batch& batch, int images) {
  const Graph& g = program.graph();
  const auto& classes = batch.classes.at("anchor_class");
  const auto& deltas = batch.targets.at("anchor_deltas");
  const auto all = classes.size() / static_cast<std::size_t>(images);
  LossResult of_classes, of_boxes;
  for (int i = 0; i < images; ++i) {
    double focal = 0, box = 0, positives = 0;
    std::size_t anchor = static_cast<std::size_t>(i) * all;
    for (const std::size_t level : {0, 1}) {
      const auto p = program.read(g.outputs[level]), d = program.read(g.outputs[2 + level]);
      const int pixels = static_cast<int>(g.edges[g.outputs[level]].extent.pixels());
      for (int at = 0; at < pixels; ++at)
        for (int a = 0; a < 2; ++a, ++anchor) {
          const int label = classes[anchor];
          for (int c = 0; c < 3 && label != -2; ++c) {
            const double prob = std::clamp(p[(i * 6 + a * 3 + c) * pixels + at], 1e-4, 1 - 1e-4);
            focal -= c == label ? 0.25 * std::pow(1 - prob, 2) * std::log(prob)
                                : 0.75 * std::pow(prob, 2) * std::log(1 - prob);
          }
          if (label < 0) continue;
          ++positives;
          of_classes.hits += p[(i * 6 + a * 3 + label) * pixels + at] > 0.5;
          int near = 0;
          for (int k = 0; k < 4; ++k) {
            const double gap = std::abs(d[(i * 8 + a * 4 + k) * pixels + at] - deltas[anchor * 4 + k]);
            near += gap < 0.5;
            box += gap <= 1.0 / 9 ? 4.5 * gap * gap : gap - 0.5 / 9;
          }
          of_boxes.hits += near == 4;
        }
    }
    of_classes.mean += focal / std::max(1.0, positives) / images;
    of_boxes.mean += positives > 0 ? box / (4 * positives) / images : 0;
  }
  return {of_classes, of_boxes};
}

struct Plain {
  static constexpr int in = 3;
  Value<6> wire(Recorder& g, Value<3> x) const { return g("scores", Conv<3, 6>{}, x); }
};

}  // namespace

TEST_CASE("detect: the formulas, an image without objects, and what is counted") {
  const Graph g = with_losses({});
  Rig<backend::Reference<double>> rig;
  auto& program = rig.add_training(g);
  fill(rig.store, 1);
  auto batch = random_batch(g, 1);
  auto& classes = batch.classes.at("anchor_class");
  for (std::size_t i = classes.size() / 3; i < classes.size() * 2 / 3; ++i) classes[i] = std::min(classes[i], -1);
  forward(program, batch, {.training = true});
  // Every fourth anchor's targets are what the network says, nearly.
  auto& deltas = batch.targets.at("anchor_deltas");
  std::size_t number = 0;
  for (int image = 0; image < 3; ++image)
    for (const std::size_t level : {0, 1}) {
      const auto d = program.read(g.outputs[2 + level]);
      const int pixels = static_cast<int>(g.edges[g.outputs[level]].extent.pixels());
      for (int at = 0; at < pixels; ++at)
        for (int i = 0; i < 8; ++i, ++number)
          if (number / 4 % 4 == 1) deltas[number] = d[(image * 8 + i) * pixels + at] + (i % 2 ? 0.05 : 0.3);
    }
  const double loss = forward(program, batch, {.training = true});
  const auto expected = by_hand(program, batch, 3);
  REQUIRE(program.losses().size() == 2);
  CHECK(loss == doctest::Approx(expected[0].mean + expected[1].mean).epsilon(1e-10));
  const auto positives = std::count_if(classes.begin(), classes.end(), [](int c) { return c >= 0; });
  for (const std::size_t i : {0, 1}) {
    const LossResult& r = program.losses()[i];
    CHECK(r.mean == doctest::Approx(expected[i].mean).epsilon(1e-10));
    CHECK(r.weight == 3);
    CHECK(r.counted == positives);
    CHECK(r.hits == expected[i].hits);
    CHECK(r.hits > 0);
    CHECK(r.hits < positives);
  }
  // No object at all: no box loss, and no gradient of it.
  for (int& c : classes) c = std::min(c, -1);
  forward(program, batch, {.training = true});
  CHECK(program.losses()[1].mean == 0);
  const auto gradients = backward(rig.store, program, batch, {.training = true});
  const int weight = rig.store.find("deltas.weight");
  for (double v : gradients.params[static_cast<std::size_t>(weight)]) CHECK(v == 0);
}

TEST_CASE("detect: as the task of a model") {
  Model<Detector, backend::Reference<float>> model({2, 5, 7}, {.task = task::Detect({.box_factor = 0.5}, 2)});
  Program& program = model.training();
  const std::size_t anchors = 2 * (5 * 7 + 2 * 3);
  const std::vector<float> pixels(2 * 3 * 5 * 7, 0.5f), deltas(2 * anchors * 4, 0.25f);
  std::vector<std::int32_t> classes(2 * anchors, -1);
  classes[3] = 2, classes[5] = -2;
  const auto feed = [&](Program& p) {
    p.set_images(pixels.data());
    p.set_target("anchor_class", classes.data());
    p.set_target("anchor_deltas", deltas.data());
    p.forward({});
  };
  feed(program);
  CHECK(program.losses()[0].counted == 1);
  CHECK(program.loss() == doctest::Approx(program.losses()[0].mean + 0.5 * program.losses()[1].mean));
  program.backward({.training = true});
  const auto trained = program.losses();
  Program& test = model.evaluation({2, 5, 7});
  feed(test);
  for (const std::size_t i : {0, 1}) CHECK(test.losses()[i].mean == doctest::Approx(trained[i].mean));
  CHECK(test.read(test.graph().outputs[3]).size() == 2 * 8 * 2 * 3);

  Model<Detector, backend::Reference<float>> rounded(
      {2, 5, 7}, {.task = task::Detect({.box_factor = 0.5}, 2), .precision = Precision::bf16});
  feed(rounded.training());
  rounded.training().backward({.training = true});
  for (const std::size_t i : {0, 1})
    CHECK(rounded.training().losses()[i].mean == doctest::Approx(trained[i].mean).epsilon(0.02));

  classes[anchors + 7] = 3;
  CHECK_THROWS_WITH_AS(
      feed(test),
      "anchor 7 of image 1 of a batch is said to be of class 3, but the network has 3 classes (from 0; -1 "
      "is background, -2 ignored)",
      Error);
}

TEST_CASE("detect: a network or options that do not fit") {
  const auto error_of = [](auto net, const task::Detect& task) {
    Graph g = record(net, {1, 4, 4});
    Recorder recorder(g);
    try {
      task.losses(recorder, g.outputs[0], 1);
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  CHECK(
      error_of(Plain{}, task::Detect()).starts_with("task::Detect wants a network with as many maps of scores as of"));
  CHECK(error_of(Detector{}, task::Detect()).find("expected maps of one size, and channels for 9 anchors") !=
        std::string::npos);
  CHECK(error_of(Detector{false}, task::Detect({.clamp = 0}, 2)).find("give a clamp such as 1e-4") !=
        std::string::npos);
  CHECK(error_of(Detector{}, task::Detect({.clamp = 0.5}, 2)).find("a clamp in 0 … 1/2, not 0.25, 2 and 0.5") !=
        std::string::npos);
  CHECK(error_of(Detector{}, task::Detect({.corner = -1}, 2)).find("a corner of at least 0") != std::string::npos);
}
