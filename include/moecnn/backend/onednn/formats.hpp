#pragma once
/// \file
/// Which edges are stored in blocks of channels.

#include "moecnn/graph/graph.hpp"

#include <numeric>

namespace moecnn::onednn {

/// Convolutions of all kinds may convert between the formats, and prefer blocks.
inline bool is_conv(const Op& op) {
  return std::holds_alternative<ops::Conv>(op) || std::holds_alternative<ops::MixedConv>(op) ||
         std::holds_alternative<ops::ConvTranspose>(op);
}

/// Operations whose kernels can read and write blocks of channels. All others are the reference's and know plain order.
inline bool knows_blocks(const Op& op) {
  return is_conv(op) || std::holds_alternative<ops::BatchNorm>(op) || std::holds_alternative<ops::Relu>(op) ||
         std::holds_alternative<ops::Add>(op) || std::holds_alternative<ops::MaxPool>(op) ||
         std::holds_alternative<ops::Gather>(op) || std::holds_alternative<ops::Combine>(op) ||
         std::holds_alternative<ops::ToPatches>(op) || std::holds_alternative<ops::FromPatches>(op);
}

/// Not zero for every edge that is stored in blocks. Edges between which only element-wise kernels lie share one
/// format. They are blocked when a convolution writes one of them, and none is read or written by something that knows
/// plain order only: the images, linear layers, gates, the loss, and what has no kernel for blocks.
inline std::vector<char> blocked_edges(const Graph& g) {
  std::vector<int> root(g.edges.size());
  std::iota(root.begin(), root.end(), 0);
  auto find = [&](int e) {
    while (root[e] != e) e = root[e] = root[root[e]];
    return e;
  };
  for (const Node& n : g.nodes) {
    if (!knows_blocks(n.op)) continue;
    for (std::size_t i = is_conv(n.op) ? 1 : 0; i < n.inputs.size(); ++i) root[find(n.inputs[i])] = find(n.output);
  }
  std::vector<char> conv(g.edges.size(), 0), plain(g.edges.size(), 0);
  for (const Node& n : g.nodes) {
    if (is_conv(n.op)) conv[find(n.output)] = 1;
    const bool writes_plain = !knows_blocks(n.op);
    // These look at how many rows there are, or read blocks and write plain rows.
    const bool reads_plain = writes_plain && !std::holds_alternative<ops::GlobalAvgPool>(n.op) &&
                             !std::holds_alternative<ops::ConstantScores>(n.op) &&
                             !std::holds_alternative<ops::RandomScores>(n.op);
    if (reads_plain)
      for (int e : n.inputs) plain[find(e)] = 1;
    if (writes_plain) plain[find(n.output)] = 1;
  }
  std::vector<char> blocked(g.edges.size(), 0);
  for (std::size_t e = 0; e < blocked.size(); ++e) {
    const int r = find(static_cast<int>(e));
    blocked[e] = conv[r] && !plain[r];
  }
  return blocked;
}

}  // namespace moecnn::onednn
