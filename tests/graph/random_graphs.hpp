#pragma once
/// Random networks for property tests: convolutions, norms, sums of anything with anything, mixtures, values with many
/// readers, results without readers, and everything that leaves a map of 3 × 4 pixels as large as it was.

#include "moe/mixture_nets.hpp"
#include "moecnn/layer/conv_transpose.hpp"
#include "moecnn/layer/prelu.hpp"

namespace graph_test {

using namespace moecnn;

/// Some values are added to themselves.
inline Graph random_graph(std::uint64_t seed, int length = 12) {
  const Rng rng(seed, Purpose::other, hash_name("random graph"));
  std::uint64_t drawn = 0;
  const auto pick = [&](std::size_t n) { return static_cast<std::size_t>(rng.below(n, drawn++)); };

  Graph graph;
  Recorder g(graph);
  const Extent images{1 + static_cast<int>(pick(4)), 3, 4};
  std::vector<Value<4>> values{{g.record(ops::Input{}, {}, 4, images)}};
  graph.input = values[0].edge;
  const auto any = [&] { return values[pick(values.size())]; };
  const auto sum = [&](Value<4> x) { return g.add(x, any()); };
  const auto recent = [&] { return values[values.size() - 1 - pick(std::min<std::size_t>(3, values.size()))]; };
  for (int i = 0; i < length; ++i) {
    const std::string name = "n" + std::to_string(i);
    const auto x = recent();
    switch (pick(20)) {
      case 0:
      case 1: values.push_back(g(name, Conv<4, 4, ConvOpts{.kernel = 3, .pad = 1, .bias = true}>{}, x)); break;
      case 2: values.push_back(g(name, BatchNorm<4>{}, x)); break;
      case 3: values.push_back(g.relu(x)); break;
      case 4: values.push_back(sum(x)); break;
      case 5: values.push_back(g.relu(sum(g(name + "b", BatchNorm<4>{}, g(name, Conv<4, 4>{}, x))))); break;
      case 6: values.push_back(g("shared", Conv<4, 4>{}, x)); break;
      case 7: values.push_back(g.avg_pool(x, {.kernel = 3, .stride = 1, .pad = 1, .count_pad = pick(2) == 0})); break;
      case 8:
        values.push_back(g.resize(g.adaptive_avg_pool(x, {2, 3}), {3, 4}, {.align_corners = pick(2) == 0}));
        break;
      case 9: {
        const auto where = g.max_pool_indices(x, {});
        values.push_back(g.max_unpool(g.add(g.max_pool(x, {}), g.max_pool(x, {})), where, g.size(x)));
        break;
      }
      case 10: values.push_back(g.slice<4>(g.concat(x, any(), any()), static_cast<int>(pick(9)))); break;
      case 11: values.push_back(g.scale(x, g.hard_sigmoid(g.global_avg_pool(any())))); break;
      case 12: values.push_back(g.hard_swish(x)); break;
      case 13: {
        const auto scope = g.scope(name);
        values.push_back(pick(2) ? g.dropout(x, 0.3) : g.spatial_dropout(x, 0.3));
        break;
      }
      case 14: values.push_back(g.crop_or_pad(g.crop_or_pad(x, {6, 3}, -2, 1), {3, 4}, 1, -1)); break;
      case 15: {
        const auto grid = PatchGrid::of_count(g.size(x), {2, 2 + static_cast<int>(pick(3))}, 1);
        const auto y = g(name, Conv<4, 4, ConvOpts{.kernel = 3}>{}, g.to_patches(x, grid));
        values.push_back(g.from_patches(y, grid));
        break;
      }
      case 16: {
        constexpr ConvTransposeOpts up{.kernel = 3, .stride = 2, .pad = 1, .bias = true};
        values.push_back(g(name, ConvTranspose<4, 4, up>{}, g.max_pool(x, {.kernel = 1}), g.size(x)));
        break;
      }
      case 17: values.push_back(g(name, PRelu<4, Slopes::per_channel>{}, x)); break;
      default: {
        const int experts = 2 + static_cast<int>(pick(3));
        const mixture_test::Choice c{.experts = experts,
                                     .router = mixture_test::top(2),
                                     .balance = pick(2) ? balance::Any(balance::Importance{}) : balance::Any{}};
        values.push_back(pick(2) ? g(name, mixture_test::mixture<BasicBlock<4, 4>>(c), x)
                                 : g(name, mixture_test::mixture<Conv<4, 4>>(c), x));
      }
    }
  }
  graph.outputs = {sum(values.back()).edge};
  return graph;
}

}  // namespace graph_test
