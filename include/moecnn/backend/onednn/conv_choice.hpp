#pragma once
/// \file
/// Which of oneDNN's convolutions computes a node, and in which formats.

#include "moecnn/backend/onednn/conv_problem.hpp"

#include <array>
#include <optional>

namespace moecnn::onednn {

/// Read whenever a program is made.
struct Options {
  /// Winograd's minimal filtering (Lavin and Gray, 2016) for 3×3 convolutions, where oneDNN has it (2.x on x64). It
  /// doubles their speed; results differ from direct convolution by some three times its own rounding error.
  bool winograd = true;
  /// The most scratch bytes that it may take; they come on top of the largest live activations. Batches are cut into
  /// parts that fit; a single row cannot be cut and may take twice as much. Where even a small part does not fit, since
  /// there is a transformed copy of all weights, or of their gradient for each thread, convolution is direct.
  std::size_t winograd_scratch = std::size_t{144} << 20;
};
inline Options& options() {
  static Options o;
  return o;
}

/// What was chosen for a node. Weights in three formats: of the node's forward pass, as its backward data reads them, and
/// as backward weights writes their gradient.
struct ConvChoice {
  ConvProblem problem;  ///< of a transposed convolution: the convolution whose data gradient it is
  Desc weights, data_weights, weights_grad;
  int rank = 3;
  /// Per pass: the most rows that Winograd's form takes at once, 0 where it is not used. All its weights are in the first
  /// format.
  std::array<int, 3> winograd_rows{};

  /// Winograd's form, F(4×4, 3×3), needs a quarter of the multiplications but transforms all weights in every call: it
  /// pays where enough tiles of 4×4 pixels share that. The rule depends on sizes alone, so equal runs compute equal bits.
  bool worth_winograd(int rows) const {
    constexpr long long enough_tiles = 32;  // measured: break-even lies between 16 and 48 for 32 to 512 channels
    return static_cast<long long>(rows) * ((problem.dst.h + 3) / 4) * ((problem.dst.w + 3) / 4) >= enough_tiles;
  }
  bool uses_winograd(Pass pass, int rows) const {
    return winograd_rows[static_cast<int>(pass)] > 0 && worth_winograd(rows);
  }

  /// How many of `rows` a pass takes at once; the last part may be smaller.
  int part_rows(Pass pass, int rows) const {
    const int most = winograd_rows[static_cast<int>(pass)];
    if (most == 0 || rows <= most) return rows;
    const int parts = (rows + most - 1) / most;
    return (rows + parts - 1) / parts;
  }
};

struct ConvUse {
  int rows = 1;
  /// The node is the transposed one of the problem's convolution: its forward pass is that convolution's backward data
  /// and the other way round, and it has no bias.
  bool transposed = false;
  bool backward_data = false, backward_weights = false;
  bool bias = false;
  Options options = onednn::options();
  dnnl::primitive_attr forward_attr;

  /// Whether oneDNN's forward convolution computes this pass of the node.
  bool by_forward(Pass pass) const { return (pass == Pass::forward) != transposed; }
};

namespace detail {

/// How many rows Winograd's form takes at once in each pass, in the formats that were chosen. oneDNN may not have it.
inline std::array<int, 3> find_winograd(const ConvChoice& c, const ConvUse& use) {
  std::array<int, 3> found{};
  const auto& op = c.problem.op;
  if (!use.options.winograd || c.rank > 0 || op.kernel != 3 || op.stride != 1 || op.groups != 1) return found;
  const auto attr = user_scratchpad();
  const auto search = [&](Pass pass, const auto& make) {
    for (int rows = use.rows; c.worth_winograd(rows); rows /= 2) try {
        const auto d = c.problem.descs(rows, c.weights, use.bias, true);
        const auto pd = make(d);
        if (rank_of(pd.impl_info_str()) > 0) return;
        if (pd.scratchpad_desc().get_size() > use.options.winograd_scratch * (rows == 1 ? 2 : 1)) continue;
        found[static_cast<int>(pass)] = rows;
        return;
      } catch (const dnnl::error&) {
        return;
      }
  };
  for (const Pass pass : {Pass::forward, Pass::backward_data}) {
    if (pass == Pass::backward_data && !use.backward_data) continue;
    // As if for training: for inference alone oneDNN insists on weights that are transformed beforehand.
    if (use.by_forward(pass))
      search(pass, [&](const ConvDescs& d) { return conv_forward(d, true, use.forward_attr); });
    else
      search(pass, [&](const ConvDescs& d) { return conv_backward_data(d, conv_forward(d, true, attr), attr); });
  }
  if (use.backward_weights && c.weights == c.weights_grad)
    search(Pass::backward_weights,
           [&](const ConvDescs& d) { return conv_backward_weights(d, conv_forward(d, true, attr), attr); });
  return found;
}

/// The best that oneDNN has for these formats; no value if it has nothing. `stored`: weights are better read as these.
inline std::optional<ConvChoice> try_formats(const ConvProblem& p, const ConvUse& use,
                                             const WeightsLayout* stored) try {
  struct Found {
    Desc weights;
    int rank;
  };
  const auto attr = user_scratchpad();
  auto any = p.descs(use.rows, p.any_weights(), use.bias);
  const auto hint = conv_forward(any, true, attr);
  const auto find = [&](Pass pass, const ConvDescs& d) -> Found {
    if (use.by_forward(pass)) {
      const auto pd = conv_forward(d, use.transposed || use.backward_weights, use.forward_attr);
      return {pd.weights_desc(), rank_of(pd.impl_info_str())};
    }
    const auto pd = conv_backward_data(d, hint, attr);
    return {pd.weights_desc(), rank_of(pd.impl_info_str())};
  };
  ConvChoice c;
  c.problem = p;
  Found forward = find(Pass::forward, any);
  if (stored && dims_of(stored->desc()) == p.weights() && stored->desc() != forward.weights) try {
      auto as_stored = any;
      as_stored.weights = stored->desc();
      const Found second = find(Pass::forward, as_stored);
      if (second.rank <= forward.rank) forward = second;
    } catch (const dnnl::error&) {
    }
  c.weights = c.data_weights = c.weights_grad = forward.weights;
  c.rank = forward.rank;
  if (use.backward_data) {
    const Found data = find(Pass::backward_data, any);
    c.data_weights = data.weights;
    c.rank = std::max(c.rank, data.rank);
  }
  if (use.backward_weights) {
    auto d = any;
    int rank = 3;
    try {  // the gradient wants to lie where the weights lie
      d.weights = c.weights;
      rank = rank_of(conv_backward_weights(d, hint, attr).impl_info_str());
    } catch (const dnnl::error&) {
    }
    if (rank > 0) {
      const auto pd = conv_backward_weights(any, hint, attr);
      if (rank_of(pd.impl_info_str()) < rank) {
        rank = rank_of(pd.impl_info_str());
        c.weights_grad = pd.diff_weights_desc();
      }
    }
    c.rank = std::max(c.rank, rank);
  }
  return c;
} catch (const dnnl::error&) {
  return std::nullopt;
}

}  // namespace detail

/// Tries the formats that the edges have, and where oneDNN has only slow code for them, the others: the node then
/// converts on its way in and out. Rank 3: oneDNN has nothing at all.
inline ConvChoice best_formats(const ops::Conv& op, const Edge& src, bool src_blocked, const Edge& dst,
                               bool dst_blocked, const ConvUse& use, const WeightsLayout* stored) {
  ConvChoice best;
  const std::pair<bool, bool> tries[] = {{src_blocked, dst_blocked}, {true, true}, {false, true}, {false, false}};
  for (const auto& [s, d] : tries) {
    const ConvProblem p{op, src.extent, dst.extent, s, d};
    if (!p.possible()) continue;
    const auto c = detail::try_formats(p, use, stored);
    if (c && c->rank < best.rank) best = *c;
    if (best.rank == 0) break;
  }
  return best;
}

/// The best formats, checked, and Winograd's form where it pays.
inline ConvChoice choose_conv(const ops::Conv& op, const Edge& src, bool src_blocked, const Edge& dst, bool dst_blocked,
                              const ConvUse& use, const WeightsLayout* stored, const std::string& name) {
  ConvChoice best = best_formats(op, src, src_blocked, dst, dst_blocked, use, stored);
  check(best.rank < 3,
        "{}: oneDNN {}.{} has no convolution for {} to {} channels in {} groups; use the reference backend", name,
        dnnl_version()->major, dnnl_version()->minor, op.in, op.out, op.groups);
  best.winograd_rows = detail::find_winograd(best, use);
  return best;
}

}  // namespace moecnn::onednn
