#include "moecnn/zoo/retinanet.hpp"

#include "check_layer.hpp"
#include "moecnn/model/detect.hpp"
#include "moecnn/model/upcycle.hpp"
#include "moecnn/zoo/resnet.hpp"
#include "moecnn/zoo/retinanet_keys.hpp"
#include "zoo/golden_runs.hpp"

#if MOECNN_HAS_ONEDNN
#include "moecnn/backend/default.hpp"
#endif

#include <doctest/doctest.h>
#include <set>

using namespace moecnn;
using namespace zoo_test;

namespace {

using Small = RetinaNet<3, ResNet18<>>;
using Large = RetinaNet<80, ResNet50<>>;

/// For tests of the rest of the network.
struct Tiny {
  using Maps = Features<8, 8, 16>;
  static Maps features(Recorder& g, Value<3> image) {
    constexpr ConvOpts eighth{.kernel = 3, .stride = 8, .pad = 1}, half{.kernel = 3, .stride = 2, .pad = 1};
    const auto c3 = g("c3", Conv<3, 8, eighth>{}, image);
    const auto c4 = g("c4", Conv<8, 8, half>{}, c3);
    return {c3, c4, g("c5", Conv<8, 16, half>{}, c4)};
  }
};

Graph tiny(RetinaMoE moe, RetinaOpts opts = {}, Extent images = {1, 32, 32}) {
  return record(RetinaNet<3, Tiny>{.opts = opts, .moe = moe}, images);
}
Graph large(HeadMixture kind) { return record(Large{.moe = {.kind = kind}}, {1, 64, 64}); }
Graph small(RetinaMoE moe, Extent images = {2, 64, 96}) { return record(Small{.moe = moe}, images); }

std::vector<double> first_values(ParamStore& store, const std::string& name) {
  REQUIRE(store.find(name) >= 0);
  return store.read(store.find(name));
}
double deviation(const std::vector<double>& v) {
  double sum = 0;
  for (double x : v) sum += x * x;
  return std::sqrt(sum / static_cast<double>(v.size()));
}

}  // namespace

TEST_CASE("RetinaNet: parameters") {
  CHECK(parameter_count(large(HeadMixture::none)) == 37'968'692);
  CHECK(parameter_count(record(RetinaNet<80, ResNet18<>>{}, {1, 64, 64})) == 21'410'100);
  CHECK(parameter_count(large(HeadMixture::two_block)) == 58'542'616);
  CHECK(parameter_count(large(HeadMixture::single)) == 57'950'484);
  CHECK(parameter_count(large(HeadMixture::conv4)) == 42'693'436);
}

TEST_CASE("RetinaNet: names, their order and shapes are the reference's, and those of torchvision's files are known") {
  CHECK(keys(record(RetinaNet<80, ResNet18<>>{}, {1, 64, 64})) == reference_keys("retinanet_resnet18"));

  const Graph g = record(RetinaNet<91, ResNet50<>>{.opts = torchvision_retinanet}, {1, 64, 64});
  CHECK(parameter_count(g) - 53'120 == 34'014'999);  // theirs does not count norms that are frozen
  std::vector<std::string> theirs;
  for (std::string key : keys(g)) {
    const auto end = key.find(' ');
    theirs.push_back(retinanet::torchvision_names(key.substr(0, end)).front() + key.substr(end));
  }
  const auto expected = reference_keys("retinanet_torchvision");
  CHECK(std::set<std::string>(theirs.begin(), theirs.end()) == std::set<std::string>(expected.begin(), expected.end()));
  using Names = std::vector<std::string>;
  CHECK(retinanet::torchvision_names("fpn.P5_1.bias") ==
        Names{"backbone.fpn.inner_blocks.2.0.bias", "backbone.fpn.inner_blocks.2.bias"});
  CHECK(retinanet::torchvision_names("regressionModel.conv3.weight") ==
        Names{"head.regression_head.conv.2.0.weight", "head.regression_head.conv.4.weight"});
}

TEST_CASE("RetinaNet: ten maps, of images of any size") {
  const Graph g = record(Small{}, {2, 50, 70});
  REQUIRE(g.outputs.size() == 10);
  const Size2 sizes[] = {{7, 9}, {4, 5}, {2, 3}, {1, 2}, {1, 1}};
  for (int l = 0; l < 5; ++l) {
    const Edge &scores = g.edges[g.outputs[l]], &deltas = g.edges[g.outputs[5 + l]];
    CHECK(scores.extent == Extent{2, sizes[l].h, sizes[l].w});
    CHECK(deltas.extent == scores.extent);
    CHECK(scores.channels == 27);
    CHECK(deltas.channels == 36);
    CHECK(g.find_edge("scores.P" + std::to_string(l + 3)) == g.outputs[l]);
    CHECK(g.find_edge("deltas.P" + std::to_string(l + 3)) == g.outputs[5 + l]);
  }
}

TEST_CASE("RetinaNet: the first values") {
  const auto start = [](const Graph& g) {
    auto store = std::make_unique<ParamStore>();
    store->adopt(g, {});
    store->initialise(1);
    return store;
  };
  const std::vector<double> prior(27, static_cast<float>(-std::log(99.0)));
  const auto plain = start(tiny({}));
  CHECK(first_values(*plain, "classificationModel.output.bias") == prior);
  CHECK(deviation(first_values(*plain, "classificationModel.output.weight")) == 0);
  CHECK(deviation(first_values(*plain, "regressionModel.output.weight")) == 0);
  CHECK(deviation(first_values(*plain, "regressionModel.output.bias")) == 0);
  const double kaiming = std::sqrt(2.0 / (9 * 256));
  for (const char* name : {"fpn.P4_2.weight", "regressionModel.conv2.weight", "classificationModel.conv4.weight"})
    CHECK(deviation(first_values(*plain, name)) == doctest::Approx(kaiming).epsilon(0.01));
  CHECK(deviation(first_values(*plain, "regressionModel.conv2.bias")) > 0);

  const auto experts = start(tiny({.kind = HeadMixture::two_block, .experts = 2}));
  CHECK(first_values(*experts, "classificationModel.experts.1.output.bias") == prior);
  CHECK(deviation(first_values(*experts, "classificationModel.experts.1.output.weight")) ==
        doctest::Approx(kaiming).epsilon(0.01));
  CHECK(first_values(*experts, "regressionModel.experts.0.output.weight") !=
        first_values(*experts, "regressionModel.experts.1.output.weight"));

  const auto zero =
      start(tiny({.kind = HeadMixture::single, .experts = 2, .start = retinanet::HeadStart::zero_output}));
  CHECK(deviation(first_values(*zero, "classificationModel.experts.1.output.weight")) == 0);

  const auto theirs = start(tiny({}, torchvision_retinanet));
  CHECK(first_values(*theirs, "classificationModel.output.bias") == prior);
  for (const char* name : {"regressionModel.conv2", "regressionModel.output", "classificationModel.output"}) {
    CHECK(deviation(first_values(*theirs, name + std::string(".weight"))) == doctest::Approx(0.01).epsilon(0.02));
    if (name != std::string("classificationModel.output"))
      CHECK(deviation(first_values(*theirs, name + std::string(".bias"))) == 0);
  }
}

TEST_CASE("RetinaNet: mixtures route level by level, and the rows of all levels are balanced together") {
  for (const HeadMixture kind : {HeadMixture::two_block, HeadMixture::single, HeadMixture::conv4}) {
    const Graph g = small({.kind = kind});
    CAPTURE(head_mixture_names[static_cast<std::size_t>(kind)]);
    REQUIRE(g.routings.size() == 10);
    std::set<int> groups;
    for (int i = 0; i < 10; ++i) {
      const std::string head = i < 5 ? "regressionModel" : "classificationModel";
      const std::string level = i % 5 == 0 ? "" : "#" + std::to_string(i % 5 + 1);
      CHECK(g.routings[i].name == head + (kind == HeadMixture::conv4 ? ".conv4" : "") + level);
      CHECK(g.routings[i].group == g.routings[i / 5 * 5].group);
      groups.insert(g.routings[i].group);
    }
    CHECK(groups.size() == 2);
    int noise = 0;
    for (const ParamSpec& p : g.params) noise += p.name.ends_with("gate.noise.weight");
    CHECK(noise == (kind == HeadMixture::single ? 1 : 2));
    const auto balance = [](const RoutingSpec& r) { return r.policy->settings()[1].second; };
    CHECK((balance(g.routings[5]) == balance(g.routings[0])) == (kind != HeadMixture::single));
  }
}

TEST_CASE("RetinaNet: a constraint's statistics belong to the gate") {
  RetinaMoE moe{.kind = HeadMixture::single, .balance = balance::None{}};
  moe.constraint = constraint::RelativeImportance{.limit = 0.3};
  const Graph one = small(moe);
  REQUIRE(one.states.size() == 1);
  CHECK(one.states[0].name == "regressionModel.gate.relative_importance");
  for (const RoutingSpec& r : one.routings) CHECK(r.state_id == 0);
  for (const ParamSpec& p : one.params) CHECK(p.name.find("noise") == p.name.npos);
  moe.kind = HeadMixture::two_block;
  CHECK(small(moe).states.size() == 2);
}

TEST_CASE("RetinaNet: mixtures of one expert are the plain network") {
  const Graph plain = tiny({});
  for (const HeadMixture kind : {HeadMixture::two_block, HeadMixture::single, HeadMixture::conv4}) {
    RetinaMoE moe{.kind = kind, .experts = 1};
    moe.router.k = 1;
    CHECK(distance_of_results(tiny(moe), plain) < 1e-6);
  }
}

TEST_CASE("RetinaNet: heads that were trained become the experts of every kind of mixture") {
  ParamStore plain;
  plain.adopt(tiny({}), {});
  for (int i = 0; i < plain.size(); ++i)
    plain.write(i, std::vector<double>(static_cast<std::size_t>(plain.spec(i).elements()), i + 1).data());
  for (const HeadMixture kind : {HeadMixture::two_block, HeadMixture::single, HeadMixture::conv4}) {
    ParamStore store;
    store.adopt(tiny({.kind = kind, .experts = 3}), {});
    CHECK(upcycle(store, tensors_of(plain), "", {.noise = 0}) == (kind == HeadMixture::conv4 ? 3 * 4 : 3 * 20));
    const bool last = kind == HeadMixture::conv4;
    const std::string name =
        last ? "classificationModel.conv4.experts.2.bias" : "classificationModel.experts.2.conv4.bias";
    CHECK(first_values(store, name) == first_values(plain, "classificationModel.conv4.bias"));
  }
}

#if MOECNN_HAS_ONEDNN
TEST_CASE("RetinaNet: a training step on oneDNN is the reference's") {
  Graph g = tiny({.kind = HeadMixture::two_block, .experts = 2}, {}, {1, 40, 56});
  Recorder recorder(g);
  task::Detect().losses(recorder, g.outputs[0], 1);
  CHECK(test::check_graph_parity<backend::OneDnn>(g, {.tolerance = 1e-3}) == "");
}
#endif

TEST_CASE("RetinaNet: kinds of mixtures by name") {
  for (std::size_t i = 0; i < head_mixture_names.size(); ++i)
    CHECK(head_mixture_by_name(head_mixture_names[i]) == static_cast<HeadMixture>(i));
  CHECK_THROWS_WITH_AS(head_mixture_by_name("conv3"),
                       "no mixture of RetinaNet is called \"conv3\"; choose none, 2block, single or conv4", Error);
}
