#include "moecnn/zoo/cifar_moe.hpp"

#include "moecnn/graph/passes/set_k.hpp"

#include <doctest/doctest.h>
#include <set>

using namespace moecnn;

namespace {

constexpr Extent image{1, 32, 32};

std::set<std::string> names(const Graph& g) {
  std::set<std::string> all;
  for (const auto& p : g.params) all.insert(p.name);
  return all;
}

struct Total {
  int position, experts;
  long long with_noise, without;
};

}  // namespace

TEST_CASE("CIFAR study: parameter totals of every position, to the digit") {
  CHECK(parameter_count(record(CifarMoENet{.position = 0}, image)) == 11'220'132);
  for (const Total& t :
       {Total{1, 4, 11'372'772, 11'372'516}, Total{1, 10, 11'823'684, 11'823'044}, Total{2, 4, 11'771'624, 11'771'368},
        Total{2, 10, 13'374'542, 13'373'902}, Total{3, 4, 13'196'328, 13'195'816}, Total{3, 10, 19'260'270, 19'258'990},
        Total{4, 4, 19'110'344, 19'109'320}, Total{4, 10, 43'338'110, 43'335'550}}) {
    CAPTURE(t.position);
    CAPTURE(t.experts);
    CifarMoENet net{.position = t.position, .experts = t.experts};
    for (const char* soft : {"none", "importance", "kl"}) {
      net.balance = balance::by_name(soft);
      CHECK(parameter_count(record(net, image)) == t.with_noise);
    }
    net.balance = {};
    for (const char* hard : {"relative", "mean"}) {
      net.constraint = constraint::by_name(hard);
      CHECK(parameter_count(record(net, image)) == t.without);
    }
    net.constraint = {};
    net.noise = Noise::none;
    CHECK(parameter_count(record(net, image)) == t.without);
  }
}

TEST_CASE("CIFAR study: multiply-accumulates for k = 1 to 4") {
  const auto giga = [](int position, int k, int batch) {
    return static_cast<double>(macs_per_image(record(CifarMoENet{.position = position, .k = k}, {batch, 32, 32}))) *
           1e-9;
  };
  const double expected[5][4] = {{.5555, .5555, .5555, .5555},
                                 {.4808, .5570, .6333, .7096},
                                 {.4914, .5595, .6276, .6957},
                                 {.4879, .5524, .6169, .6815},
                                 {.4879, .5524, .6169, .6815}};
  for (int position = 0; position <= 4; ++position)
    for (int k = 2; k <= 4; ++k) {
      CAPTURE(position);
      CAPTURE(k);
      CHECK(std::abs(giga(position, k, 1) - expected[position][k - 1]) <= 0.5e-4);
      CHECK(giga(position, k, 1) == giga(position, k, 3));  // per image, whatever the batch
    }
  // One active expert, as at evaluation.
  Graph one = record(CifarMoENet{.position = 1}, image);
  passes::set_k(one, 1);
  CHECK(std::abs(static_cast<double>(macs_per_image(one)) * 1e-9 - expected[1][0]) <= 0.5e-4);
}

TEST_CASE("CIFAR study: the names are the plain network's, with the mixture's own instead of a stage") {
  const auto plain = names(record(CifarResNet18<100>{}, image));
  CHECK(names(record(CifarMoENet{.position = 0}, image)) == plain);
  for (int position = 1; position <= 4; ++position) {
    CAPTURE(position);
    const std::string layer = "layer" + std::to_string(position) + '.';
    std::set<std::string> expected;
    for (const auto& name : plain)
      if (name.find(layer) != 0) expected.insert(name);
    const auto norm = [&](const std::string& path) {
      for (const char* leaf : {"weight", "bias", "running_mean", "running_var"}) expected.insert(path + '.' + leaf);
    };
    for (int e = 0; e < 4; ++e)
      for (int b = 0; b < 2; ++b) {
        const std::string block = layer + "experts." + std::to_string(e) + '.' + std::to_string(b) + '.';
        for (const char* conv : {"conv1", "conv2", "downsample.0"}) expected.insert(block + conv + ".weight");
        for (const char* bn : {"bn1", "bn2", "downsample.1"}) norm(block + bn);
      }
    for (const char* leaf : {"gate.fc.weight", "gate.fc.bias", "gate.noise.weight"}) expected.insert(layer + leaf);
    if (position > 1) expected.insert(layer + "shortcut.0.weight"), norm(layer + "shortcut.1");
    CHECK(names(record(CifarMoENet{.position = position}, image)) == expected);

    CifarMoENet conv{.position = position, .gate = gate::by_name("conv")};
    expected.insert(layer + "gate.conv.weight"), expected.insert(layer + "gate.conv.bias");
    CHECK(names(record(conv, image)) == expected);
  }
}

TEST_CASE("CIFAR study: constraints keep their state under the gate's name") {
  const Graph relative = record(CifarMoENet{.position = 4, .constraint = constraint::RelativeImportance{}}, image);
  REQUIRE(relative.states.size() == 1);
  CHECK(relative.states[0].name == "layer4.gate.relative_importance");
  CHECK(relative.states[0].size == 4);
  CHECK(relative.routings[0].name == "layer4");
}

TEST_CASE("CIFAR study: choices that cannot be are refused with what can be") {
  CHECK_THROWS_WITH_AS(record(CifarMoENet{.position = 5}, image),
                       "position 5 is no stage of ResNet-18; choose 1 to 4, or 0 for the plain net", Error);
  CHECK_THROWS_WITH_AS(record(CifarMoENet{.position = 4, .experts = 4, .k = 5}, image),
                       "layer4: TopK: k is 5, but the layer has only 4 expert(s); set k to 1 … 4", Error);
  CHECK_THROWS_WITH_AS(
      record(CifarMoENet{.position = 4, .k = 1}, image),
      "layer4: k = 1 with renormalised weights: the weight of the one expert chosen is always 1, so the "
      "gate of 4 experts learns nothing; choose k = 2 or more (in code, TopK with Weights::raw or "
      "Weights::straight_through learns with k = 1, too)",
      Error);
  CHECK_THROWS_AS(record(CifarMoENet{.position = 4, .experts = 0}, image), Error);
  CHECK_THROWS_WITH_AS(record(CifarMoENet{}, {0, 32, 32}),
                       "a batch of 0 images of 32x32 pixels is empty; every size must be at least 1", Error);
}
