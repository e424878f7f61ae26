#pragma once
/// \file
/// Sets the element types of a graph: one type everywhere, or a lower one where that does no harm.

#include "moecnn/core/convert.hpp"
#include "moecnn/graph/passes/rewrite.hpp"

#include <map>

namespace moecnn::passes {

/// Values, parameters and gradients become of that type. For a graph as recorded: labels and the results of losses have
/// types of their own and keep them.
inline void set_dtype(Graph& g, DType dtype) {
  for (Edge& e : g.edges)
    if (e.dtype == DType::f32) e.dtype = dtype;
  for (ParamSpec& p : g.params) p.dtype = dtype;
}

/// Values become of type `low` where Traits::full_precision and the readers allow it: a value that something in full
/// precision reads, an output of the graph and the indices of a pooling are written in full precision by their producer.
/// Weights of convolutions and linear layers are read from copies in `low`, which are derived parameters; a linear layer
/// whose result a router reads stays full with its weights. Casts are inserted where a value changes its type; no other
/// pass and no kernel knows more than the types of its edges. The last pass: others look for neighbours between which
/// there may be a cast now. Edges in `keep` stay what they are; so do weights without `low_weights`.
inline void lower_precision(Graph& g, DType low, const std::vector<int>& keep = {}, bool low_weights = true) {
  const auto consumers = g.consumers();
  const auto reads = [&](int e, const auto& yes) {
    return std::any_of(consumers[e].begin(), consumers[e].end(), [&](int n) { return yes(n); });
  };
  const auto is_route = [&](int n) { return std::holds_alternative<ops::Route>(g.nodes[n].op); };
  std::vector<char> full_node(g.nodes.size(), 0), full(g.edges.size(), 0);
  for (std::size_t n = 0; n < g.nodes.size(); ++n)
    full_node[n] = traits_of(g.nodes[n].op).full_precision ||
                   (std::holds_alternative<ops::Linear>(g.nodes[n].op) && reads(g.nodes[n].output, is_route));
  for (const Node& n : g.nodes)
    if (traits_of(n.op).exact_output) full[n.output] = 1;  // indices, which bf16 cannot hold
  for (std::size_t e = 0; e < g.edges.size(); ++e) {
    const int from = g.edges[e].producer;
    if (from < 0 || full_node[from] || reads(static_cast<int>(e), [&](int n) { return full_node[n]; })) full[e] = 1;
  }
  for (int e : g.outputs) full[e] = 1;
  for (int e : keep) full[e] = 1;
  std::vector<char> index(g.edges.size(), 0);
  for (const Node& n : g.nodes) index[n.output] = traits_of(n.op).exact_output;
  for (std::size_t e = 0; e < g.edges.size(); ++e)
    if (!full[e]) g.edges[e].dtype = low;

  std::vector<Node> nodes;
  std::map<int, int> cast_edges, cast_params;  // by what was cast
  for (std::size_t n = 0; n < g.nodes.size(); ++n) {
    Node node = std::move(g.nodes[n]);
    if (!full_node[n]) {
      for (int& e : node.inputs) {
        if (!full[e] || index[e]) continue;
        const auto [at, is_new] = cast_edges.emplace(e, static_cast<int>(g.edges.size()));
        if (is_new) {
          Edge copy = g.edges[e];
          copy.dtype = low, copy.name += " (cast)";
          Node cast;
          cast.op = ops::Cast{};
          cast.inputs = {e};
          cast.output = at->second;
          cast.name = copy.name;
          cast.routing = copy.routing, cast.expert = copy.expert;
          g.edges.push_back(std::move(copy));
          nodes.push_back(std::move(cast));
        }
        e = at->second;
      }
      if (low_weights && traits_of(node.op).low_weights) {
        const int master = node.params[0];
        const auto [at, is_new] = cast_params.emplace(master, static_cast<int>(g.params.size()));
        if (is_new) {
          for (int e = 0; e < node.experts; ++e) {
            ParamSpec p = g.params[master + e];
            if (p.trained) p.source = master + e;
            p.dtype = low, p.name += " (cast)";
            g.params.push_back(std::move(p));
          }
          g.derived.push_back(
              {.how = Derived::How::cast, .weight = master, .derived_weight = at->second, .experts = node.experts});
        }
        node.params[0] = at->second;
      }
    }
    nodes.push_back(std::move(node));
  }
  g.nodes = std::move(nodes);
  for (std::size_t n = 0; n < g.nodes.size(); ++n) {
    g.edges[g.nodes[n].output].producer = static_cast<int>(n);
    if (std::holds_alternative<ops::Route>(g.nodes[n].op)) g.routings[g.nodes[n].routing].node = static_cast<int>(n);
  }
}

}  // namespace moecnn::passes
