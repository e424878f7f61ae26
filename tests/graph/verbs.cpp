// Errors of the verbs, word for word; results are tested in tests/backend/reference_maps.cpp.
#include "moecnn/graph/verbs.hpp"

#include "moe/mixture_nets.hpp"

#include <doctest/doctest.h>

using namespace moecnn;

namespace {

struct TwoMaps {
  Graph graph;
  Recorder g{graph};
  Value<4> x{g.record(ops::Input{}, {}, 4, {3, 6, 7})};
};

}  // namespace

TEST_CASE("verbs: maps of other sizes cannot be joined, scaled or unpooled") {
  TwoMaps s;
  const auto half = s.g.max_pool(s.x, {});
  CHECK_THROWS_WITH_AS(s.g.concat(s.x, half),
                       "the network: cannot join maps of 3x6x7 and 3x3x3 (rows, height, width); resize or pad first",
                       Error);
  CHECK_THROWS_WITH_AS(s.g.scale(s.x, half),
                       "the network: a map is scaled by 3 rows of one pixel, these are 3x3x3; pool first", Error);
  const auto where = s.g.max_pool_indices(s.x, {});
  CHECK_THROWS_AS(s.g.max_unpool(s.x, where, {6, 7}), Error);
  CHECK_THROWS_WITH_AS(
      s.g.max_unpool(half, where, {6, 6}),
      "the network: the indices are those of a map of 6x7 pixels and mean nothing in one of 6x6; unpool to the "
      "former",
      Error);
  CHECK_THROWS_AS(s.g.max_pool_indices(s.x, {.kernel = 3, .stride = 2, .pad = 1}), Error);
}

TEST_CASE("verbs: impossible sizes, channels, probabilities and windows are refused") {
  TwoMaps s;
  CHECK_THROWS_AS(s.g.resize(s.x, {0, 3}), Error);
  CHECK_THROWS_AS(s.g.crop_or_pad(s.x, {3, -1}), Error);
  CHECK_THROWS_AS(s.g.adaptive_avg_pool(s.x, {0, 1}), Error);
  CHECK_THROWS_AS(s.g.avg_pool(s.x, {.kernel = 2, .stride = 2, .pad = 2}), Error);
  CHECK_THROWS_WITH_AS(s.g.slice<2>(s.x, 3), "the network: there are no channels 3 to 4 among 4", Error);
  CHECK_THROWS_WITH_AS(s.g.dropout(s.x, 1), "the network: dropout with probability 1; choose 0 up to less than 1",
                       Error);
  CHECK_THROWS_AS(s.g.spatial_dropout(s.x, -0.1), Error);
}

TEST_CASE("verbs: patches fit their map, and patches with a halo make no map") {
  TwoMaps s;
  const auto grid = PatchGrid::of_count(s.g.size(s.x), 2, 1);
  const auto patches = s.g.to_patches(s.x, grid);
  CHECK(s.g.extent(patches) == Extent{12, 5, 6});
  CHECK_THROWS_WITH_AS(
      s.g.from_patches(patches, grid),
      "the network: 12 patches of 5x6 make no maps of 4 patches of 3x4; what works on patches with halos has to "
      "leave the halos out",
      Error);
  CHECK_THROWS_AS(s.g.to_patches(patches, grid), Error);
  CHECK(s.g.extent(s.g.from_patches(s.g.crop_or_pad(patches, grid.patch, 1, 1), grid)) == Extent{3, 6, 7});
}

TEST_CASE("verbs: rows grouped by expert do not mix with rows of the batch, nor are they cut into patches") {
  TwoMaps s;
  const auto scores = logits_of<3>(s.g("fc", Linear<4, 3>{}, s.g.global_avg_pool(s.x)));
  const auto r = s.g.route(
      make_policy(TopK<2, RouterOpts{.noise = Noise::none}>{}, balance::None{}, constraint::None{}, 3), scores);
  const auto slots = s.g.gather(s.x, r);
  CHECK_THROWS_WITH_AS(s.g.concat(slots, s.x),
                       "the network: cannot mix rows of the batch with rows grouped by expert; combine them first",
                       Error);
  CHECK_THROWS_AS(s.g.to_patches(slots, PatchGrid::of_count({6, 7}, 2)), Error);
  CHECK_THROWS_AS(s.g.cross_entropy(slots.edge), Error);
}

TEST_CASE("verbs: what changes nothing records nothing") {
  TwoMaps s;
  CHECK(s.g.resize(s.x, {6, 7}).edge == s.x.edge);
  CHECK(s.g.crop_or_pad(s.x, {6, 7}).edge == s.x.edge);
  CHECK(s.g.dropout(s.x, 0).edge == s.x.edge);
  CHECK(s.graph.nodes.size() == 1);
}
