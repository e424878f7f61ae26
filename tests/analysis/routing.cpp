#include "moecnn/analysis/routing.hpp"

#include "moe/routing_fixture.hpp"
#include "moecnn/graph/passes/mix_linear_experts.hpp"
#include "moecnn/moe/gate_any.hpp"
#include "moecnn/moe/patch_moe.hpp"

#include <doctest/doctest.h>

using namespace routing_test;
using namespace moecnn::analysis;
using doctest::Approx;

namespace {

Routing top2(const Matrix& weights) {
  Routing r = routing_of(weights);
  r.k = 2;
  return r;
}

}  // namespace

TEST_CASE("entropy, concentration and load of patches, by hand") {
  PatchRouting p("decoder", PatchGrid::of_count({4, 4}, {2, 1}));
  // two images of an upper and a lower patch
  p.add(top2(rows_of({{.5, .5, 0, 0}, {0, 0, .75, .25}, {.5, .5, 0, 0}, {1, 0, 0, 0}})));
  const std::vector<double> u{2. / 4, 1. / 4, .75 / 4, .25 / 4};
  double h = 0;
  for (double x : u) h -= x * std::log(x);
  CHECK(p.nre() == Approx(h / std::log(4)));
  CHECK(p.tec() == Approx(.5));
  CHECK(p.tec_k() == Approx(.75));
  CHECK(p.tec(3) == Approx(1 - .0625));
  CHECK(p.stats().load() == std::vector{3., 2., 1., 1.});
  CHECK(p.first_share() == std::vector{.75, 0., .25, 0.});  // the lower expert wins ties
  // The scores of these rows are their weights: ln 2, H(3/4, 1/4), ln 2 and 0.
  CHECK(p.doubt() == Approx((2 * std::log(2) - .75 * std::log(.75) - .25 * std::log(.25)) / 4 / std::log(4)));
  CHECK(p.pairs()(0, 1) == 2);
  CHECK(p.pairs()(3, 2) == 1);
  CHECK(p.pairs()(0, 2) == 0);
  CHECK(p.pairs()(0, 0) == 3);
  const Matrix places = p.place_shares();
  CHECK(places(0, 0) == .5);  // the upper half is served by 0 and 1 alike
  CHECK(places(0, 2) == 0);
  CHECK(places(1, 0) == .5);
  CHECK(places(1, 2) == Approx(.375));
  CHECK_THROWS_WITH_AS(p.add(top2(rows_of({{1, 0, 0, 0}}))), doctest::Contains("2 patches each"), Error);
}

TEST_CASE("the share of a class that each expert sees, by weight and pixels") {
  // A map of 2 × 3 pixels in 1 × 2 patches of 2 × 2: the second one sticks out.
  PatchRouting p("m", PatchGrid::of_size({2, 3}, 2), 4);
  const std::vector<int> labels{0, 0, 1,    //
                                0, 1, 255,  // the first image
                                2, 2, 2,    //
                                2, 0, 0};
  p.add(top2(rows_of({{1, 0}, {.25, .75}, {.5, .5}, {0, 1}})), labels.data(), {2, 3});
  CHECK(p.class_pixels() == std::vector<long long>{5, 2, 4, 0});
  const Matrix s = p.class_shares();
  // class 0: 3 pixels in (1, 0), 1 in (.5, .5), 1 in (0, 1)
  CHECK(s(0, 0) == Approx(3.5 / 5));
  CHECK(s(0, 1) == Approx(1.5 / 5));
  // class 1: one pixel in each patch of the first image
  CHECK(s(1, 0) == Approx(1.25 / 2));
  // class 2: 3 pixels in (.5, .5), 1 in (0, 1)
  CHECK(s(2, 1) == Approx(2.5 / 4));
  CHECK(std::isnan(s(3, 0)));
}

TEST_CASE("labels of another size than the map that was cut") {
  PatchRouting p("m", PatchGrid::of_count({3, 3}, 3), 2);
  std::vector<int> labels(9 * 12, 0);  // 9 rows of 12: a patch covers 3 × 4 labels
  for (int y = 3; y < 6; ++y)
    for (int x = 8; x < 12; ++x) labels[y * 12 + x] = 1;  // middle row, right column
  Matrix w(9, 2);
  for (int i = 0; i < 9; ++i) w(i, 0) = i == 5 ? 0 : 1, w(i, 1) = i == 5 ? 1 : 0;
  p.add(top2(w), labels.data(), {9, 12});
  CHECK(p.class_pixels() == std::vector<long long>{96, 12});
  CHECK(p.class_shares()(0, 0) == 1);
  CHECK(p.class_shares()(1, 1) == 1);
}

TEST_CASE("weights that do not sum to one leave shares that do") {
  PatchRouting p("m", {}, 1);
  const std::vector<int> labels{0, 0};
  p.add(top2(rows_of({{.2, .1}, {.4, .5}})), labels.data(), 1);
  CHECK(p.class_shares()(0, 0) == Approx(.5));
  CHECK(p.tec() == Approx(.5));
}

TEST_CASE("the verdict") {
  const auto say = [](const Matrix& weights) {
    PatchRouting p("m");
    p.add(top2(weights));
    return p.verdict();
  };
  CHECK(PatchRouting("m").verdict() == "Nothing was routed.");
  CHECK(say(rows_of({{1}})) == "There is one expert, so there is nothing to route.");
  CHECK(say(rows_of({{.25, .25, .25, .25}})) ==
        "Routing has not collapsed: all 4 experts live (normalised routing entropy 1.000, share of the busiest expert "
        "25.0 %, of the busiest 2 50.0 %).");
  CHECK(say(rows_of({{.97, .03, 0, 0}})).starts_with("Routing has collapsed: 1 of 4 experts holds over 95 %"));
  CHECK(say(rows_of({{.5, .5, 0, 0}})).starts_with("Routing has collapsed: 2 of 4 experts hold over 95 %"));
  CHECK(say(rows_of({{.5, .4, .095, .005}}))
            .starts_with("Routing has not collapsed, but expert 3 is dead, with less than 1 % of the weight"));
  CHECK(say(rows_of({{.4, .3, .3, 0, 0, 0}})).find("experts 3, 4 and 5 are dead") != std::string::npos);
}

TEST_CASE("JSON of all of it") {
  PatchRouting p("decoder", PatchGrid::of_count({2, 4}, {1, 2}), 2);
  const std::vector<int> labels(8, 1);
  p.add(top2(rows_of({{.5, .5}, {1, 0}})), labels.data(), {2, 4});
  const io::Json j = io::Json::parse(p.json({"road", "car"}).dump(), "the text");
  CHECK(j["name"].text() == "decoder");
  CHECK(j["grid"].dump() == "[1,2]");
  CHECK(j["patches"].whole() == 2);
  CHECK(j["tec"].number() == .75);
  CHECK(j["collapsed"].dump() == "false");
  CHECK(j["classes"][1]["name"].is_null());
  CHECK(j["classes"][1].text() == "car");
  CHECK(j["class_pixels"].dump() == "[0,8]");
  CHECK(j["class_shares"].dump() == "[[null,null],[0.75,0.25]]");
  CHECK(j["pairs"].dump() == "[[2.0,1.0],[1.0,1.0]]");
  CHECK(j["place_shares"].dump() == "[[0.5,0.5],[1.0,0.0]]");
}

namespace {

using Inner = Conv<3, 3, ConvOpts{.kernel = 3, .pad = 1}>;

/// A mixture of patches, one of whole maps behind it, and another of patches.
struct ThreeMixtures {
  static constexpr int in = 3;
  gate::Any::Kind kind = gate::Any::Kind::gap;

  auto wire(Recorder& g, Value<3> x) const {
    using Patches = PatchMoE<Inner, 4, TopK<2, RouterOpts{.noise = Noise::none}>, gate::Any>;
    const auto a = g("first", Patches{.patches = {.grid = 3}, .gate = gate::Any{kind}}, x);
    const auto b =
        g("images", MoE<Inner, 4, TopK<2, RouterOpts{.noise = Noise::none}>, gate::Any>{.gate = gate::Any{kind}}, a);
    return g("second", Patches{.patches = {.grid = {2, 4}}, .gate = gate::Any{kind}}, b);
  }
};

}  // namespace

TEST_CASE("a graph tells the patches of its mixtures, with every gate and after passes") {
  using Kind = gate::Any::Kind;
  for (Kind kind : {Kind::gap, Kind::conv_gap, Kind::random, Kind::deterministic}) {
    CAPTURE(static_cast<int>(kind));
    for (bool mixed : {false, true}) {
      Graph g = record(ThreeMixtures{kind}, Extent{2, 18, 24});
      if (mixed) passes::mix_linear_experts(g, {}, passes::Mixing::always);
      const auto all = patch_routings(g, 5);
      REQUIRE(all.size() == 3);
      CHECK(all[0].name() == "first");
      CHECK(all[0].grid() == PatchGrid::of_count({18, 24}, 3, 1));
      CHECK(all[1].grid().count() == 1);
      CHECK(all[2].grid() == PatchGrid::of_count({18, 24}, {2, 4}, 1));
    }
  }
}
