#pragma once
#include "moecnn/graph/passes/rewrite.hpp"

namespace moecnn::passes {

/// Inference: a convolution applies the ReLU that is the only reader of its result. Edges in `keep` are not fused away.
inline void fuse_conv_activation(Graph& g, const std::vector<int>& keep = {}) {
  const auto consumers = g.consumers();
  std::vector<char> dead(g.nodes.size(), 0);
  for (Node& node : g.nodes) {
    auto* conv = std::get_if<ops::Conv>(&node.op);
    if (!conv || conv->relu) continue;
    const int next = only_reader(g, consumers, node.output, keep);
    if (next < 0 || !std::holds_alternative<ops::Relu>(g.nodes[next].op)) continue;
    conv->relu = true;
    dead[next] = 1;
    std::swap(node.output, g.nodes[next].output);
  }
  remove(g, dead);
}

}  // namespace moecnn::passes
