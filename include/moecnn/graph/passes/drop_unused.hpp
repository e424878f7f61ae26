#pragma once
#include "moecnn/graph/passes/rewrite.hpp"

namespace moecnn::passes {

/// Removes nodes whose result is never read; with `drop_noise` (inference) first cuts the noise off the routers. Edges
/// in `keep` and the graph's outputs count as read, and so do routings.
inline void drop_unused(Graph& g, bool drop_noise, const std::vector<int>& keep = {}) {
  std::vector<char> needed(g.edges.size(), 0), dead(g.nodes.size(), 0);
  needed[g.input] = 1;
  for (int e : g.outputs) needed[e] = 1;
  for (int e : keep) needed[e] = 1;
  for (std::size_t n = g.nodes.size(); n-- > 0;) {
    Node& node = g.nodes[n];
    const bool route = std::holds_alternative<ops::Route>(node.op);
    if (route && drop_noise) node.inputs.resize(1);
    dead[n] = !needed[node.output] && !route;
    if (dead[n]) continue;
    for (int e : node.inputs) needed[e] = 1;
  }
  remove(g, dead);
}

}  // namespace moecnn::passes
