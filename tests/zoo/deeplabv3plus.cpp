#include "moecnn/zoo/deeplabv3plus.hpp"

#include "zoo/golden_runs.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using namespace zoo_test;

namespace {

constexpr Extent image{1, 128, 128};

DeepLabV3Plus<19> with(SegMoE moe) {
  moe.on = true;
  return {.moe = moe};
}

}  // namespace

TEST_CASE("DeepLabv3+: names, their order and shapes, parameters and multiply-accumulates are the reference's") {
  const Graph g = record(DeepLabV3Plus<19>{}, image);
  CHECK(keys(g) == reference_keys("deeplabv3plus"));
  CHECK(parameter_count(g) == 40'351'667);
  CHECK(giga_macs(g) == doctest::Approx(4.3264));
}

TEST_CASE("DeepLabv3+: the backbone's names are torchvision's, without the classifier") {
  std::vector<std::string> expected;
  for (const auto& key : reference_keys("resnet50"))
    if (!key.starts_with("fc.")) expected.push_back("backbone." + key);
  auto ours = keys(record(DeepLabV3Plus<19>{}, image));
  ours.resize(expected.size());
  CHECK(ours == expected);
}

TEST_CASE("DeepLabv3+: logits, loss, gradients and statistics are PyTorch's, at any size") {
  CHECK(compare_with_golden("deeplabv3plus", [](Extent e) { return record(DeepLabV3Plus<19>{}, e); }) == 2);
  for (const Extent e : {Extent{1, 33, 50}, Extent{2, 70, 34}, Extent{1, 1, 1}}) {
    const Graph g = record(DeepLabV3Plus<7>{}, e);
    CHECK(g.edges[g.outputs[0]].extent == e);
  }
}

TEST_CASE("DeepLabv3+: a mixture in the decoder's second 3x3 convolution adds 10.279 % of parameters") {
  const Graph g = record(with({}), image);
  CHECK(parameter_count(g) - 40'351'667 == 4'147'792);
  CHECK(g.routings[0].name == "decoder.last_conv.4");
}

TEST_CASE("DeepLabv3+: every placement") {
  const Graph plain = record(DeepLabV3Plus<19>{}, image);
  for (const Placement p : {Placement::encoder_last, Placement::decoder_first, Placement::decoder_last})
    for (int layers = 1; layers <= 3; ++layers) {
      CAPTURE(placement_names[static_cast<std::size_t>(p)]);
      CAPTURE(layers);
      const auto& names = DeepLabV3Plus<19>::candidates.at(p);
      const SegMoE moe{.placement = p, .layers = layers};
      check_mixtures(plain, record(with(moe), image), {names.begin(), names.begin() + layers}, 8);
    }
}
