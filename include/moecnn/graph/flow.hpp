#pragma once
/// \file
/// The flow of gradients: which edges carry one, and whether a node starts that gradient or adds to it.

#include "moecnn/graph/graph.hpp"

namespace moecnn {

/// How a kernel hands over one gradient.
enum class GradMode : unsigned char { ignore, overwrite, accumulate };

/// Forward runs nodes 0 … n-1, backward n-1 … 0. The last consumer of an edge is therefore the first to write its
/// gradient, the others add.
struct Flow {
  bool training = false;
  std::vector<char> edge_grad;                    ///< per edge: a gradient exists
  std::vector<char> runs_backward;                ///< per node
  std::vector<std::vector<GradMode>> input_mode;  ///< per node, per input
  std::vector<std::vector<GradMode>> param_mode;  ///< per node, per parameter
  std::vector<int> seeds;                         ///< edges whose gradient comes from outside
};

/// Whether training changes a parameter of a node, of any of its experts. (Frozen ones beside others get a gradient, too;
/// optimisers leave them out.)
inline bool any_learns(const Graph& g, int param, int experts) {
  for (int p = param; p < param + experts; ++p)
    if (g.params[p].learns()) return true;
  return false;
}

/// `seeds` are edges whose gradient comes from outside (outputs of a graph without a loss); `input_grad` also follows
/// the gradient back to the images.
inline Flow analyse(const Graph& g, bool training, const std::vector<int>& seeds = {}, bool input_grad = false) {
  const std::size_t nodes = g.nodes.size();
  Flow f;
  f.training = training;
  f.seeds = seeds;
  f.edge_grad.assign(g.edges.size(), 0);
  f.runs_backward.assign(nodes, 0);
  f.input_mode.resize(nodes);
  f.param_mode.resize(nodes);
  for (std::size_t n = 0; n < nodes; ++n) {
    f.input_mode[n].assign(g.nodes[n].inputs.size(), GradMode::ignore);
    f.param_mode[n].assign(g.nodes[n].params.size(), GradMode::ignore);
  }
  if (!training) return f;

  // An edge needs a gradient when something trained lies behind it. A routing behind a Gather or Combine counts: its
  // weights carry the gradient to the gate.
  std::vector<char> routing_needs(g.routings.size(), 0);
  std::vector<char> needs(g.edges.size(), 0);
  for (std::size_t n = 0; n < nodes; ++n) {
    const Node& node = g.nodes[n];
    bool any = input_grad && node.output == g.input;
    for (int p : node.params) any = any || any_learns(g, p, node.experts);
    for (int e : node.inputs) any = any || needs[e];
    if (std::holds_alternative<ops::Combine>(node.op) || std::holds_alternative<ops::MixedConv>(node.op))
      any = any || routing_needs[node.routing];
    if (std::holds_alternative<ops::Route>(node.op)) routing_needs[node.routing] = any;
    needs[node.output] = any && traits_of(node.op).carries_gradient;
  }

  // Walk back from the loss, the seeds and the routings (whose balance loss is a loss of its own).
  std::vector<char> reached(g.edges.size(), 0), written(g.edges.size(), 0), param_written(g.params.size(), 0);
  for (int e : seeds) reached[e] = written[e] = 1;
  for (std::size_t i = nodes; i-- > 0;) {
    const Node& node = g.nodes[i];
    const bool is_source = is_loss(node.op) || std::holds_alternative<ops::Route>(node.op);
    if (!is_source && !reached[node.output]) continue;
    if (!needs[node.output]) continue;
    f.runs_backward[i] = 1;
    if (reached[node.output]) f.edge_grad[node.output] = 1;
    for (std::size_t j = 0; j < node.inputs.size(); ++j) {
      const int e = node.inputs[j];
      if (!needs[e]) continue;
      f.input_mode[i][j] = written[e] ? GradMode::accumulate : GradMode::overwrite;
      written[e] = reached[e] = f.edge_grad[e] = 1;
    }
    for (std::size_t j = 0; j < node.params.size(); ++j) {
      const int p = node.params[j], owner = g.params[p].source < 0 ? p : g.params[p].source;
      if (!any_learns(g, p, node.experts)) continue;
      f.param_mode[i][j] = param_written[owner] ? GradMode::accumulate : GradMode::overwrite;
      param_written[owner] = 1;
    }
  }
  return f;
}

}  // namespace moecnn
