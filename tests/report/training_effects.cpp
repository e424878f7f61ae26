#include "moecnn/report/training_effects.hpp"

#include "moecnn/zoo/cifar_moe.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace moecnn;

namespace {

using Words = std::vector<std::string>;

Words effects(const CifarMoENet& net, report::TrainedWith with) {
  const Graph g = record(net, {1, 32, 32});
  return report::only_in_training(g, g.routings.at(0), with);
}

bool any(const Words& words, const char* part) {
  return std::any_of(words.begin(), words.end(), [&](const auto& w) { return w.find(part) != w.npos; });
}

}  // namespace

TEST_CASE("noise, hard constraint and augmentation are named only where they were on") {
  const CifarMoENet soft{.balance = balance::Importance{}};
  auto found = effects(soft, {.noise = true, .augmentation = true});
  CHECK(any(found, "noise"));
  CHECK(any(found, "augmented"));
  CHECK(any(found, "batch norm"));
  CHECK_FALSE(any(found, "constraint"));

  found = effects(soft, {.noise = false, .augmentation = false});
  CHECK_FALSE(any(found, "noise"));
  CHECK_FALSE(any(found, "augmented"));
  CHECK_FALSE(any(effects({.noise = Noise::none}, {}), "noise"));

  found = effects({.constraint = constraint::RelativeImportance{}}, {.noise = true});
  CHECK(any(found, "hard constraint"));
  CHECK_FALSE(any(found, "noise"));  // a gate under a hard constraint has none
}
