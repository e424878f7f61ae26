#pragma once
/// \file
/// Which edges are stored in blocks of channels.

#include "moecnn/backend/host/kernels.hpp"
#include "moecnn/backend/reference/loss.hpp"

#include <numeric>

namespace moecnn::onednn {

/// The use that the kernel of an operation makes of blocks of channels.
enum class Blocks : unsigned char {
  none,       ///< reads and writes plain order
  one,        ///< all tensors have one format
  factors,    ///< so have the first input and the output; others have any
  each,       ///< each tensor has any, and blocks are passed on
  convolves,  ///< the first input has any, blocks are written if that is possible, others are stored as the output
  read        ///< inputs have any, plain order is written
};

constexpr Blocks blocks_of(host::Orders orders) {
  switch (orders) {
    case host::Orders::plain: return Blocks::none;
    case host::Orders::rows:
    case host::Orders::planes: return Blocks::one;
    case host::Orders::factors: return Blocks::factors;
    case host::Orders::each: return Blocks::each;
    case host::Orders::counts: return Blocks::read;
  }
  return Blocks::none;
}

/// As kernels of host/ say, but for operations whose kernels are this backend's own.
template <class Op>
inline constexpr Blocks blocks_for = blocks_of(reference::KernelFor<float, Op>::type::orders);
template <>
inline constexpr Blocks blocks_for<ops::Conv> = Blocks::convolves;
template <>
inline constexpr Blocks blocks_for<ops::ConvTranspose> = Blocks::convolves;
template <>
inline constexpr Blocks blocks_for<ops::MixedConv> = Blocks::convolves;
template <>
inline constexpr Blocks blocks_for<ops::BatchNorm> = Blocks::one;
template <>
inline constexpr Blocks blocks_for<ops::MaxPool> = Blocks::one;
template <>
inline constexpr Blocks blocks_for<ops::ArgMaxPool> = Blocks::one;
template <>
inline constexpr Blocks blocks_for<ops::GlobalAvgPool> = Blocks::read;
template <>
inline constexpr Blocks blocks_for<ops::Linear> = Blocks::none;
template <>
inline constexpr Blocks blocks_for<ops::Custom> = Blocks::none;

inline Blocks blocks_of(const Op& op) {
  return dispatch(op, []<class O>(const O&) { return blocks_for<O>; });
}

/// Whether input `i` must be stored as the output is.
inline bool shares_format(Blocks b, std::size_t i) {
  return b == Blocks::one || (b == Blocks::factors && i == 0) || (b == Blocks::convolves && i > 0);
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
      if (shares_format(blocks_of(n.op), i)) root[find(n.inputs[i])] = find(n.output);

  std::vector<char> wanted(g.edges.size(), 0), plain(g.edges.size(), 0);
  for (const Node& n : g.nodes) {
    const Blocks b = blocks_of(n.op);
    if (b == Blocks::convolves) wanted[find(n.output)] = 1;
    for (int e : n.inputs) {
      if (b == Blocks::none) plain[find(e)] = 1;
      if (b == Blocks::each && wanted[find(e)]) wanted[find(n.output)] = 1;
    }
    if (b == Blocks::none || b == Blocks::read) plain[find(n.output)] = 1;
  }
  std::vector<char> blocked(g.edges.size(), 0);
  for (std::size_t e = 0; e < blocked.size(); ++e) {
    const int r = find(static_cast<int>(e));
    blocked[e] = wanted[r] && !plain[r];
  }
  return blocked;
}

}  // namespace moecnn::onednn
