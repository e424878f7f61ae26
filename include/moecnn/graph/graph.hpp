#pragma once
/// \file
/// The static graph of a network: nodes in an order in which they can run.

#include "moecnn/graph/node.hpp"

#include <algorithm>

namespace moecnn {

class CustomOp;

struct Graph {
  std::vector<Node> nodes;
  std::vector<Edge> edges;
  std::vector<Alias> aliases;  ///< in the order in which they were given
  std::vector<ParamSpec> params;
  std::vector<StateSpec> states;  ///< doubles that constraints keep between batches, by full name
  std::vector<RoutingSpec> routings;
  std::vector<std::shared_ptr<const CustomOp>> custom;  ///< the user's own operations, which Custom nodes refer to
  std::vector<std::vector<double>> class_weights;       ///< of the losses that have some
  std::vector<Derived>
      derived;               ///< parameters that passes made from others; in `params` they come after the recorded ones
  int input = -1;            ///< edge of the images
  std::vector<int> outputs;  ///< edges that stay readable after a run, the network's result (or results) first

  /// Edges of the targets, which the caller feeds by name beside the images: the outputs of the other Input nodes.
  std::vector<int> targets() const {
    std::vector<int> list;
    for (const Node& n : nodes)
      if (std::holds_alternative<ops::Input>(n.op) && n.output != input) list.push_back(n.output);
    return list;
  }

  /// The rows that the caller feeds.
  int batch() const { return edges[input].extent.n; }

  /// The parameters that were recorded, and belong to a store: the first of `params`.
  int recorded_params() const { return derived.empty() ? static_cast<int>(params.size()) : derived[0].derived_weight; }

  const Edge& output_of(const Node& n) const { return edges[n.output]; }

  /// The edge with that name or alias, the last one that was given it; -1 if there is none.
  int find_edge(std::string_view name) const {
    const auto alias = std::find_if(aliases.rbegin(), aliases.rend(), [&](const Alias& a) { return a.name == name; });
    const int since = alias == aliases.rend() ? 0 : alias->since;
    for (int e = static_cast<int>(edges.size()) - 1; e >= since; --e)
      if (edges[e].name == name) return e;
    return alias == aliases.rend() ? -1 : alias->edge;
  }

  /// Rows of an edge in the mean, if experts are used equally: of `experts` with rows of their own, k are active.
  double mean_rows(const Edge& e) const {
    const double share = e.expert < 0 ? 1.0 : 1.0 * routings[e.routing].k / routings[e.routing].experts;
    return share * e.extent.n;
  }

  /// Nodes that read an edge, in running order.
  std::vector<std::vector<int>> consumers() const {
    std::vector<std::vector<int>> list(edges.size());
    for (int n = 0; n < static_cast<int>(nodes.size()); ++n)
      for (int e : nodes[n].inputs)
        if (list[e].empty() || list[e].back() != n) list[e].push_back(n);
    return list;
  }
};

/// Multiply-accumulates of one row through one node: (transposed) convolution, linear layers and what operations of the
/// user's own say; nothing for others, as is usual.
inline long long macs_per_row(const Graph& g, const Node& n) {
  return dispatch(n.op, [&](const auto& op) -> long long {
    if constexpr (requires(Extent e) { op.macs(e, e); })
      return op.macs(g.edges[n.inputs[0]].extent, g.output_of(n).extent);
    else
      return 0;
  });
}

/// The same for the rows of one image, in the mean.
inline long long macs_of_image(const Graph& g, const Node& n) {
  return static_cast<long long>(static_cast<double>(macs_per_row(g, n)) * g.mean_rows(g.output_of(n)) / g.batch());
}

/// Multiply-accumulates of one image through the whole graph; inside a mixture a row counts k times.
inline long long macs_per_image(const Graph& g) {
  long long sum = 0;
  for (const auto& n : g.nodes) {
    sum += macs_of_image(g, n);
  }
  return sum;
}

inline long long parameter_count(const Graph& g) {
  long long sum = 0;
  for (const auto& p : g.params)
    if (p.trained && p.source < 0) sum += p.elements();
  return sum;
}

/// Of the parameters, those that one image, or one patch, needs: of N experts, k.
inline long long active_parameter_count(const Graph& g) {
  long long idle = 0;  // for experts of several types in the mean
  std::vector<char> counted(g.params.size(), 0);
  for (const auto& n : g.nodes) {
    if (n.routing < 0 || (n.experts <= 1 && n.expert < 0)) continue;
    const RoutingSpec& r = g.routings[n.routing];
    for (const int first : n.params)
      if (g.params[first].trained && !std::exchange(counted[first], 1))
        idle += (r.experts - r.k) * g.params[first].elements() / (n.expert < 0 ? 1 : r.experts);
  }
  return parameter_count(g) - idle;
}

}  // namespace moecnn
