#pragma once
/// \file
/// Tools for passes: a pass marks nodes as dead, edits the others and lets remove() close the gaps.

#include "moecnn/graph/graph.hpp"

#include <algorithm>

namespace moecnn::passes {

/// The only reader of an edge, or -1 when it is read twice, is an output, or must stay visible.
inline int only_reader(const Graph& g, const std::vector<std::vector<int>>& consumers, int edge,
                       const std::vector<int>& keep) {
  const auto is = [&](int e) { return e == edge; };
  if (std::any_of(g.outputs.begin(), g.outputs.end(), is) || std::any_of(keep.begin(), keep.end(), is)) return -1;
  return consumers[edge].size() == 1 ? consumers[edge][0] : -1;
}

/// Removes nodes with `dead[n]` set and renumbers. Edges keep their numbers, so handles stay valid; an edge whose
/// producer has gone has producer -1.
inline void remove(Graph& g, const std::vector<char>& dead) {
  std::vector<Node> kept;
  std::vector<int> now(g.nodes.size(), -1);
  for (Edge& e : g.edges) e.producer = -1;
  for (std::size_t n = 0; n < g.nodes.size(); ++n) {
    if (dead[n]) continue;
    now[n] = static_cast<int>(kept.size());
    g.edges[g.nodes[n].output].producer = now[n];
    kept.push_back(std::move(g.nodes[n]));
  }
  g.nodes = std::move(kept);
  for (RoutingSpec& r : g.routings) r.node = r.node < 0 ? -1 : now[r.node];
}

}  // namespace moecnn::passes
