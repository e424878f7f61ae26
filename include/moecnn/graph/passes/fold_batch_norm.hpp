#pragma once
#include "moecnn/graph/passes/rewrite.hpp"

namespace moecnn::passes {

/// Inference: a convolution followed by a batch norm becomes one convolution with bias, and with the residual and ReLU
/// that were fused into the norm: w' = w · γ/σ, b' = β + (b - μ) · γ/σ. The new weights are derived parameters; the
/// program recomputes them when the originals change.
inline void fold_batch_norm(Graph& g, const std::vector<int>& keep = {}) {
  const auto consumers = g.consumers();
  std::vector<char> dead(g.nodes.size(), 0);
  const int recorded = static_cast<int>(g.params.size());
  for (std::size_t n = 0; n < g.nodes.size(); ++n) {
    if (!std::holds_alternative<ops::Conv>(g.nodes[n].op)) continue;
    if (g.nodes[n].params[0] >= recorded) continue;  // one norm is in it already, with an activation perhaps
    const int next = only_reader(g, consumers, g.nodes[n].output, keep);
    if (next < 0 || !std::holds_alternative<ops::BatchNorm>(g.nodes[next].op)) continue;
    Node& norm = g.nodes[next];
    if (norm.inputs[0] != g.nodes[n].output) continue;
    const auto bn = std::get<ops::BatchNorm>(norm.op);

    Node conv = g.nodes[n];
    auto& op = std::get<ops::Conv>(conv.op);
    Derived fold{.how = Derived::How::fold};
    fold.weight = conv.params[0];
    fold.bias = op.bias ? conv.params[1] : -1;
    fold.norm = norm.params;
    fold.eps = bn.eps;
    fold.experts = conv.experts;
    fold.derived_weight = static_cast<int>(g.params.size());
    for (int e = 0; e < conv.experts; ++e) g.params.push_back(g.params[conv.params[0] + e]);
    fold.derived_bias = static_cast<int>(g.params.size());
    for (int e = 0; e < conv.experts; ++e) g.params.push_back(g.params[norm.params[1] + e]);
    for (std::size_t i = fold.derived_weight; i < g.params.size(); ++i)
      g.params[i].name += " (folded)", g.params[i].trained = false;
    g.derived.push_back(fold);

    op.bias = true;
    op.residual = bn.residual;
    op.relu = bn.relu;
    conv.params = {fold.derived_weight, fold.derived_bias};
    conv.output = norm.output;
    if (bn.residual) conv.inputs.push_back(norm.inputs[1]);
    norm = std::move(conv);
    dead[n] = 1;
  }
  remove(g, dead);
}

}  // namespace moecnn::passes
