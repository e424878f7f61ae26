#pragma once
#include "moecnn/graph/passes/rewrite.hpp"

namespace moecnn::passes {

/// Whether mixing kernels costs less than the convolutions that it saves: per row it reads and writes some k + 1 times the
/// weights (in the backward pass twice that), and saves k - 1 convolutions of one multiplication per weight and pixel.
/// 3×3 kernels are transformed before they are used (Winograd's form), which rows with a kernel of their own cannot share:
/// they have to be larger.
inline bool mixing_pays(const RoutingSpec& r, Extent output, const ops::Conv& conv) {
  const bool transformed = conv.kernel == 3 && conv.stride == 1 && conv.groups == 1;
  const int pixels_per_weight = transformed ? 48 : 12;  // measured, see docs/benchmarks.md
  return r.k > 1 && (r.k - 1) * output.pixels() >= pixels_per_weight * (r.k + 1);
}

enum class Mixing { where_it_pays, always };

/// Mixtures whose experts are a single convolution become one operation that mixes the kernels of each row and convolves
/// once: k experts at the price of one.
inline void mix_linear_experts(Graph& g, const std::vector<int>& keep = {}, Mixing when = Mixing::where_it_pays) {
  const auto consumers = g.consumers();
  std::vector<char> dead(g.nodes.size(), 0);
  for (Node& combine : g.nodes) {
    if (!std::holds_alternative<ops::Combine>(combine.op) || combine.inputs.size() > 1) continue;
    const int n = g.edges[combine.inputs[0]].producer;
    const auto* conv = std::get_if<ops::Conv>(&g.nodes[n].op);
    if (!conv || conv->residual || conv->relu) continue;
    const int gather = g.edges[g.nodes[n].inputs[0]].producer;
    if (!std::holds_alternative<ops::Gather>(g.nodes[gather].op)) continue;
    if (only_reader(g, consumers, g.nodes[n].output, keep) < 0) continue;
    if (only_reader(g, consumers, g.nodes[gather].output, keep) < 0) continue;
    if (when == Mixing::where_it_pays && !mixing_pays(g.routings[combine.routing], g.output_of(combine).extent, *conv))
      continue;
    combine.op = ops::MixedConv{*conv};
    combine.inputs = g.nodes[gather].inputs;
    combine.params = g.nodes[n].params;
    combine.experts = g.nodes[n].experts;
    dead[n] = dead[gather] = 1;
  }
  remove(g, dead);
}

}  // namespace moecnn::passes
