#pragma once
#include "moecnn/graph/passes/rewrite.hpp"

namespace moecnn::passes {

/// Whether mixing kernels costs less than the convolutions that it saves. Per row it reads and writes some k + 1 times
/// the weights (in the backward pass twice that), and saves k - 1 convolutions of one multiplication per weight and
/// pixel. For k = 2 and 32 rows mixing won at all sizes with 32 channels; with 128 it lost at rows of 4×4 pixels, was
/// about even from 6×6 to 16×16 and won beyond. Smaller rows are better off with one convolution per expert for all of
/// its rows.
inline bool mixing_pays(const RoutingSpec& r, Extent output) {
  constexpr long long pixels_per_weight = 12;  // measured, see docs/benchmarks.md
  return r.k > 1 && (r.k - 1) * output.pixels() >= pixels_per_weight * (r.k + 1);
}

/// Mixtures whose experts are a single convolution become one operation that mixes the kernels of each row and convolves
/// once: k experts at the price of one. `pays(routing, extent of the output)` says where.
template <class Pays>
void mix_linear_experts(Graph& g, const std::vector<int>& keep, const Pays& pays) {
  const auto consumers = g.consumers();
  std::vector<char> dead(g.nodes.size(), 0);
  for (Node& combine : g.nodes) {
    if (!std::holds_alternative<ops::Combine>(combine.op)) continue;
    const int n = g.edges[combine.inputs[0]].producer;
    const auto* conv = std::get_if<ops::Conv>(&g.nodes[n].op);
    if (!conv || conv->residual || conv->relu) continue;
    const int gather = g.edges[g.nodes[n].inputs[0]].producer;
    if (!std::holds_alternative<ops::Gather>(g.nodes[gather].op)) continue;
    if (only_reader(g, consumers, g.nodes[n].output, keep) < 0) continue;
    if (only_reader(g, consumers, g.nodes[gather].output, keep) < 0) continue;
    if (!pays(g.routings[combine.routing], g.output_of(combine).extent)) continue;
    combine.op = ops::MixedConv{*conv};
    combine.inputs = g.nodes[gather].inputs;
    combine.params = g.nodes[n].params;
    combine.copies = g.nodes[n].copies;
    dead[n] = dead[gather] = 1;
  }
  remove(g, dead);
}

inline void mix_linear_experts(Graph& g, const std::vector<int>& keep = {}) {
  mix_linear_experts(g, keep, mixing_pays);
}

}  // namespace moecnn::passes
