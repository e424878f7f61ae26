#pragma once
/// \file
/// Which edges are stored in blocks of channels.

#include "moecnn/graph/graph.hpp"

#include <numeric>

namespace moecnn::onednn {

/// True if `op` is one of these.
template <class... Ops>
bool is_one_of(const Op& op) {
  return (std::holds_alternative<Ops>(op) || ...);
}

/// Convolutions of all kinds read either order, and prefer to write blocks.
inline bool is_conv(const Op& op) { return is_one_of<ops::Conv, ops::MixedConv, ops::ConvTranspose>(op); }

/// Operations that may read one order and write another.
inline bool changes_format(const Op& op) { return is_conv(op) || is_one_of<ops::Concat, ops::Slice>(op); }

/// Operations whose kernels can read and write blocks of channels. All others know plain order only.
inline bool knows_blocks(const Op& op) {
  return changes_format(op) ||
         is_one_of<ops::BatchNorm, ops::Relu, ops::Add, ops::MaxPool, ops::Gather, ops::Combine, ops::ToPatches,
                   ops::FromPatches, ops::Activation, ops::PRelu, ops::Dropout, ops::Scale, ops::ArgMaxPool,
                   ops::MaxUnpool, ops::AvgPool, ops::AdaptiveAvgPool, ops::Resize, ops::Window, ops::Subtract,
                   ops::Multiply, ops::Times, ops::Cast>(op);
}

/// Whether input `i` must be stored as the output is.
inline bool shares_format(const Op& op, std::size_t i) {
  if (!knows_blocks(op) || changes_format(op)) return is_conv(op) && i > 0;
  return i == 0 || !is_one_of<ops::Scale>(op);  // its factors may lie in any order
}

/// Not zero for every edge that is stored in blocks. Edges between which only kernels lie that share a format have one
/// format. They are blocked when a convolution writes one of them, or something that passes on the blocks of one, and
/// none is read or written by something that knows plain order only: the images, linear layers, gates, the loss.
inline std::vector<char> blocked_edges(const Graph& g) {
  std::vector<int> root(g.edges.size());
  std::iota(root.begin(), root.end(), 0);
  auto find = [&](int e) {
    while (root[e] != e) e = root[e] = root[root[e]];
    return e;
  };
  for (const Node& n : g.nodes)
    for (std::size_t i = 0; i < n.inputs.size(); ++i)
      if (shares_format(n.op, i)) root[find(n.inputs[i])] = find(n.output);

  std::vector<char> wanted(g.edges.size(), 0), plain(g.edges.size(), 0);
  for (const Node& n : g.nodes) {
    const bool writes_plain = !knows_blocks(n.op);
    // These look at how many rows there are, or read blocks and write plain rows.
    const bool reads_plain =
        writes_plain && !is_one_of<ops::GlobalAvgPool, ops::ConstantScores, ops::RandomScores>(n.op);
    if (is_conv(n.op)) wanted[find(n.output)] = 1;
    for (int e : n.inputs) {
      if (reads_plain) plain[find(e)] = 1;
      if (is_one_of<ops::Concat, ops::Slice>(n.op) && wanted[find(e)]) wanted[find(n.output)] = 1;
    }
    if (writes_plain) plain[find(n.output)] = 1;
  }
  std::vector<char> blocked(g.edges.size(), 0);
  for (std::size_t e = 0; e < blocked.size(); ++e) {
    const int r = find(static_cast<int>(e));
    blocked[e] = wanted[r] && !plain[r];
  }
  return blocked;
}

}  // namespace moecnn::onednn
