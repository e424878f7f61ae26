#pragma once
#include "moecnn/graph/passes/rewrite.hpp"

namespace moecnn::passes {

/// Batch norm + ReLU, batch norm + add, and batch norm + add + ReLU become one node: the sums are memory-bound, so a
/// pass over the tensor saved is time saved. Edges in `keep` are not fused away.
inline void fuse_norm_activation(Graph& g, const std::vector<int>& keep = {}) {
  const auto consumers = g.consumers();
  std::vector<char> dead(g.nodes.size(), 0);
  for (std::size_t n = 0; n < g.nodes.size(); ++n) {
    const auto* norm = std::get_if<ops::BatchNorm>(&g.nodes[n].op);
    if (dead[n] || !norm || norm->residual || norm->relu) continue;
    std::size_t at = n;  // where the fused node stands: all inputs exist there
    // Take in the follower: it keeps its output and place, the norm moves there.
    const auto follower = [&](auto tag) -> Node* {
      const int next = only_reader(g, consumers, g.nodes[at].output, keep);
      if (next < 0 || !std::holds_alternative<decltype(tag)>(g.nodes[next].op)) return nullptr;
      for (int i = static_cast<int>(at) + 1; i < next; ++i)  // the order in which shared statistics move stays
        if (!dead[i] && g.nodes[i].params == g.nodes[at].params) return nullptr;
      return &g.nodes[next];
    };
    const auto move_to = [&](Node* next) {
      Node fused = std::move(g.nodes[at]);
      dead[at] = 1;
      g.nodes[at].output = fused.output;
      fused.output = next->output;
      *next = std::move(fused);
      at = static_cast<std::size_t>(next - g.nodes.data());
    };
    if (Node* add = follower(ops::Add{}); add && add->inputs[0] != add->inputs[1]) {
      const int other = add->inputs[0] == g.nodes[at].output ? add->inputs[1] : add->inputs[0];
      if (other != g.nodes[at].inputs[0]) {  // norm(y) + y would have two gradients for one input
        std::get<ops::BatchNorm>(g.nodes[at].op).residual = true;
        g.nodes[at].inputs.push_back(other);
        move_to(add);
      }
    }
    if (Node* relu = follower(ops::Relu{})) {
      std::get<ops::BatchNorm>(g.nodes[at].op).relu = true;
      move_to(relu);
    }
  }
  remove(g, dead);
}

}  // namespace moecnn::passes
