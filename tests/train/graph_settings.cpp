#include "moecnn/train/graph_settings.hpp"

#include "moecnn/layer/conv.hpp"
#include "moecnn/model/detect.hpp"

#include <doctest/doctest.h>

#include "io/scratch.hpp"
#include "own_ops.hpp"
#include "train/tiny.hpp"

using namespace moecnn;

namespace {

/// Settings that can be tuned without a parameter showing it.
struct Tuned {
  double balance = 0.5, limit = 0.25, momentum = 0.1, dropout = 0.1, side_loss = 0.5;
  int ignored = -1;
  Weights weights = Weights::renormalised;
  Noise noise = Noise::learned;
};

/// A balance loss of the program's own.
struct Own {
  double weight = 1;
  double operator()(const Routing&, BalanceGrad&) const { return 0; }
};

template <class Balance>
Graph recorded(const Tuned& t, Balance balance) {
  Graph g;
  for (const auto& [name, momentum] : {std::pair{"bn1", 0.1}, {"bn2", 0.1}, {"bn3", t.momentum}}) {
    Node& n = g.nodes.emplace_back();
    n.op = ops::BatchNorm{.momentum = momentum};
    n.name = name;
  }
  Node& drop = g.nodes.emplace_back();
  drop.op = ops::Dropout{.p = t.dropout};
  drop.name = "drop";
  g.nodes.emplace_back().op = ops::CrossEntropy{.classes = 4};
  g.nodes.emplace_back().op = ops::CrossEntropy{.classes = 4, .ignore = t.ignored, .factor = t.side_loss};
  const TopK<dynamic> router{.k = 2, .weights = t.weights, .noise = t.noise};
  g.routings.push_back(
      {.name = "mix", .policy = make_policy(router, balance, constraint::RelativeImportance{.limit = t.limit}, 4)});
  return g;
}

/// An operation of the program's own, in two layers or one.
struct Scaled : test::Broken {
  int times = 2;
  std::string name() const override { return "scaled"; }
  std::string settings() const override { return formatted("{} times", times); }
};
struct WithOwn {
  static constexpr int in = 3;
  int times = 2;
  bool twice = true;
  Value<3> wire(Recorder& g, Value<3> x) const {
    const auto scaled = [&](const char* name, Value<3> v, int n) {
      const auto scope = g.scope(name);
      Scaled op;
      op.times = n;
      return g.custom(op, v);
    };
    const auto y = scaled("a", x, 2);
    return twice ? scaled("b", y, times) : y;
  }
};

std::string change(const Tuned& now) {
  const auto any = [](const Tuned& t) { return balance::Any(balance::Importance{.weight = t.balance}); };
  return differences(graph_settings(recorded({}, any({}))), graph_settings(recorded(now, any(now))));
}

}  // namespace

TEST_CASE("an operation of one's own that is another, or is gone, is noticed") {
  const auto change = [](const WithOwn& now) {
    const Extent images{1, 4, 4};
    return differences(graph_settings(record(WithOwn{}, images)), graph_settings(record(now, images)));
  };
  CHECK(change({}).empty());
  CHECK(change({.twice = false}) == "operation scaled, 2 times was 'in a, b', is now 'in a'");
  CHECK(
      change({.times = 3}) ==
      "operation scaled, 2 times was 'in a, b', is now 'in a'; operation scaled, 3 times was not given, is now 'in b'");
}

TEST_CASE("every setting that no parameter shows is compared, and named with both values") {
  CHECK(change({}).empty());
  CHECK(change({.balance = 0.125}) ==
        "mix balance was 'Importance, weight 0.5, sparse', is now 'Importance, weight 0.125, sparse'");
  CHECK(change({.limit = 0.5}) ==
        "mix constraint was 'RelativeImportance, limit 0.25', is now 'RelativeImportance, limit 0.5'");
  CHECK(change({.momentum = 0.5}) ==
        "batch norm was 'momentum 0.1, eps 1e-05', is now 'momentum 0.1, eps 1e-05; but momentum 0.5, eps 1e-05 in "
        "bn3'");
  CHECK(change({.weights = Weights::raw}) ==
        "mix router was 'TopK, k 2, renormalised weights, learned noise', is now 'TopK, k 2, raw weights, learned "
        "noise'");
  CHECK(change({.noise = Noise::none}) ==
        "mix router was 'TopK, k 2, renormalised weights, learned noise', is now 'TopK, k 2, renormalised weights, no "
        "noise'");
  CHECK(change({.dropout = 0.5}) == "dropout was 'dropout 0.1', is now 'dropout 0.5'");
  CHECK(change({.side_loss = 0.25}) ==
        "loss 2 was 'weight 0.5, ignored label -1, class weights all 1', is now 'weight 0.25, ignored label -1, class "
        "weights all 1'");
  CHECK(change({.ignored = 3}) ==
        "loss 2 was 'weight 0.5, ignored label -1, class weights all 1', is now 'weight 0.5, ignored label 3, class "
        "weights all 1'");
  CHECK(differences(graph_settings(recorded({}, Own{})), graph_settings(recorded({}, Own{.weight = 2}))) ==
        "mix balance was 'Own, weight 1', is now 'Own, weight 2'");
}

TEST_CASE("a run of another balance weight or of other class weights is not gone on with") {
  const auto set = tiny_images(16);
  const Scratch out;
  const auto run = [&]<class Balance>(Balance, std::vector<double> weights) {
    data::Loader train(set, tiny_loader());
    Model<TinyNet<Balance>, backend::Reference<float>> model(
        {.n = 8, .h = 8, .w = 8}, {.task = task::Classify({.class_weights = std::move(weights)})});
    fit(model, train,
        {.epochs = 2, .max_steps = 2, .out = out.dir(), .start = Start::resume_or_fresh, .progress = silent()});
  };
  run(balance::KlDivergence{}, {1, 2, 3, 4});
  const auto text = error_of([&] { run(balance::None{}, {1, 2, 3, 0.5}); });
  INFO(text);
  CHECK(has(text, "loss was 'weight 1, ignored label -1, class weights 1 2 3 4', is now '"));
  CHECK(has(text, "class weights 1 2 3 0.5'"));
  CHECK(has(text, "mix balance was 'KlDivergence, weight 0.5', is now 'None'"));
  run(balance::KlDivergence{}, {1, 2, 3, 4});
}

namespace {

struct TwoMaps {
  std::vector<int> all;
  std::vector<int> edges() const { return all; }
};
/// A detector of one level.
struct OneLevel {
  static constexpr int in = 3;
  TwoMaps wire(Recorder& g, Value<3> image) const {
    return {{g.sigmoid(g("scores", Conv<3, 18>{}, image)).edge, g("deltas", Conv<3, 36>{}, image).edge}};
  }
};

Settings of_detector(DetectionLossOpts loss) {
  Graph g = record(OneLevel{}, {.n = 1, .h = 8, .w = 8});
  Recorder recorder(g);
  task::Detect(loss).losses(recorder, g.outputs[0], 1);
  return graph_settings(g);
}

}  // namespace

TEST_CASE("the losses of a detector have settings") {
  const Settings usual = of_detector({});
  REQUIRE(usual.size() == 2);
  CHECK(usual[0] == std::pair<std::string, std::string>(
                        "loss", "focal loss, weight 1, alpha 0.25, gamma 2, probabilities from 0.0001 on"));
  CHECK(usual[1].second == "box loss, weight 1, corner 0.111111, divided by 4 per anchor");
  CHECK(has(differences(usual, of_detector({.gamma = 3})), "gamma 3"));
  CHECK(has(differences(usual, of_detector({.box_factor = 2})), "loss 2 was"));
}
