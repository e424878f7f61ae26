#pragma once
#include "moecnn/graph/passes/rewrite.hpp"

namespace moecnn::passes {

/// Inference: dropout does nothing there. Its readers read what it read, so that other passes see through it. Edges in
/// `keep` and the graph's outputs stay.
inline void drop_dropout(Graph& g, const std::vector<int>& keep = {}) {
  std::vector<char> stays(g.edges.size(), 0), dead(g.nodes.size(), 0);
  std::vector<int> same_as(g.edges.size(), -1);
  for (int e : g.outputs) stays[e] = 1;
  for (int e : keep) stays[e] = 1;
  for (std::size_t n = 0; n < g.nodes.size(); ++n) {
    Node& node = g.nodes[n];
    for (int& e : node.inputs)
      if (same_as[e] >= 0) e = same_as[e];
    if (!std::holds_alternative<ops::Dropout>(node.op) || stays[node.output]) continue;
    same_as[node.output] = node.inputs[0];
    dead[n] = 1;
  }
  remove(g, dead);
}

}  // namespace moecnn::passes
