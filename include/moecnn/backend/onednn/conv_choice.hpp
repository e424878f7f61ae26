#pragma once
/// \file
/// Which of oneDNN's convolutions computes a node, and in which formats.

#include "moecnn/backend/onednn/layout.hpp"

#include <optional>
#include <string_view>

namespace moecnn::onednn {

/// A convolution with its two maps in given formats. A blocked side has its channels padded to whole blocks, here and in
/// the weights, so oneDNN never meets a tail.
struct ConvProblem {
  ops::Conv op;
  Extent src, dst;
  bool src_blocked = false, dst_blocked = false;

  /// Groups can be blocked when no block crosses a group's border; depthwise ones can always.
  bool possible() const {
    const int b = channel_block();
    if (op.groups == 1) return true;
    if (src_blocked != dst_blocked) return false;
    return !src_blocked || depthwise() || (op.in % b == 0 && op.out % b == 0);
  }
  bool depthwise() const { return op.groups > 1 && op.groups == op.in && op.groups == op.out; }

  int in() const { return src_blocked ? round_up(op.in, channel_block()) : op.in; }
  int out() const { return dst_blocked ? round_up(op.out, channel_block()) : op.out; }
  int groups() const { return depthwise() ? in() : op.groups; }

  /// Sizes of the weights as oneDNN sees them, and as they are.
  Dims weights() const { return weights(in(), out(), groups()); }
  Dims shape() const { return weights(op.in, op.out, op.groups); }

  Desc map(const Extent& e, int rows, int channels, bool blocked) const {
    using Tag = dnnl::memory::format_tag;
    const Tag tag = !blocked ? Tag::nchw : channel_block() == 16 ? Tag::nChw16c : Tag::nChw8c;
    return Desc({rows, channels, e.h, e.w}, dnnl::memory::data_type::f32, tag);
  }
  Desc any_weights() const { return Desc(weights(), dnnl::memory::data_type::f32, dnnl::memory::format_tag::any); }

  ConvDescs descs(int rows, const Desc& weights, bool bias, bool winograd = false) const {
    ConvDescs d;
    if (winograd) d.algorithm = dnnl::algorithm::convolution_winograd;
    d.src = map(src, rows, in(), src_blocked);
    d.dst = map(dst, rows, out(), dst_blocked);
    d.weights = weights;
    d.has_bias = bias;
    if (bias) d.bias = Desc({out()}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::a);
    d.strides = {op.stride.h, op.stride.w};
    d.dilates = {op.dilation.h - 1, op.dilation.w - 1};
    d.pad = {op.pad.h, op.pad.w};
    return d;
  }

 private:
  Dims weights(int i, int o, int g) const {
    if (g == 1) return {o, i, op.kernel.h, op.kernel.w};
    return {g, o / g, i / g, op.kernel.h, op.kernel.w};
  }
};

/// Read whenever a program is made.
struct Options {
  /// Winograd's minimal filtering (Lavin and Gray, 2016) for 3×3 convolutions, where oneDNN has it (2.x on x64). It
  /// doubles their speed; results differ from direct convolution by some three times its own rounding error.
  bool winograd = true;
};
inline Options& options() {
  static Options o;
  return o;
}

/// 0: generated for this CPU; 1: through matrix products; 2: oneDNN's reference code, some hundred times slower.
inline int rank_of(std::string_view implementation) {
  if (implementation.find("ref") != std::string_view::npos) return 2;
  return implementation.find("gemm") != std::string_view::npos ? 1 : 0;
}

/// What was chosen for a node. Weights in three formats: of the forward pass, as backward data reads them, and as
/// backward weights writes their gradient.
struct ConvChoice {
  ConvProblem problem;
  Desc weights, data_weights, weights_grad;
  int rank = 3;
  bool winograd = false;  ///< there is a Winograd form, too; it reads and writes all weights in the first format

  /// Winograd's form, F(4×4, 3×3), needs a quarter of the multiplications but transforms all weights in every call: it
  /// pays where enough tiles of 4×4 pixels share that. The rule depends on sizes alone, so equal runs compute equal bits.
  bool uses_winograd(int rows) const {
    constexpr long long enough_tiles = 32;  // measured: break-even lies between 16 and 48 for 32 to 512 channels
    const Extent& y = problem.dst;
    return winograd && static_cast<long long>(rows) * ((y.h + 3) / 4) * ((y.w + 3) / 4) >= enough_tiles;
  }
};

struct ConvUse {
  int rows = 1;
  bool backward_data = false, backward_weights = false;
  bool bias = false;
  bool winograd = options().winograd;
  dnnl::primitive_attr forward_attr;
};

namespace detail {

/// Whether oneDNN has Winograd's form in the formats that were chosen.
inline bool has_winograd(const ConvChoice& c, const ConvUse& use) try {
  const auto& op = c.problem.op;
  if (!use.winograd || op.kernel != 3 || op.stride != 1 || op.groups != 1) return false;
  const auto attr = user_scratchpad();
  auto d = c.problem.descs(use.rows, c.weights, use.bias, true);
  const auto forward = conv_forward(d, use.backward_weights, use.forward_attr);
  if (rank_of(forward.impl_info_str()) > 0) return false;
  if (!use.backward_data && !use.backward_weights) return true;
  const auto hint = conv_forward(d, true, attr);
  if (use.backward_data && rank_of(conv_backward_data(d, hint, attr).impl_info_str()) > 0) return false;
  return c.weights == c.weights_grad &&
         (!use.backward_weights || rank_of(conv_backward_weights(d, hint, attr).impl_info_str()) == 0);
} catch (const dnnl::error&) {
  return false;
}

/// The best that oneDNN has for these formats; no value if it has nothing. `stored`: weights are better read as these.
inline std::optional<ConvChoice> try_formats(const ConvProblem& p, const ConvUse& use,
                                             const WeightsLayout* stored) try {
  ConvChoice c;
  c.problem = p;
  c.rank = 0;
  const auto attr = user_scratchpad();
  auto any = p.descs(use.rows, p.any_weights(), use.bias);
  auto forward = conv_forward(any, use.backward_weights, use.forward_attr);
  if (stored && dims_of(stored->desc()) == p.weights() && stored->desc() != forward.weights_desc()) try {
      auto as_stored = any;
      as_stored.weights = stored->desc();
      auto second = conv_forward(as_stored, use.backward_weights, use.forward_attr);
      if (rank_of(second.impl_info_str()) <= rank_of(forward.impl_info_str())) forward = second;
    } catch (const dnnl::error&) {
    }
  c.weights = c.data_weights = c.weights_grad = forward.weights_desc();
  c.rank = rank_of(forward.impl_info_str());
  if (!use.backward_data && !use.backward_weights) return c;
  const auto hint = conv_forward(any, true, attr);
  if (use.backward_data) {
    const auto pd = conv_backward_data(any, hint, attr);
    c.data_weights = pd.weights_desc();
    c.rank = std::max(c.rank, rank_of(pd.impl_info_str()));
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
/// converts on its way in and out.
inline ConvChoice choose_conv(const ops::Conv& op, const Edge& src, bool src_blocked, const Edge& dst, bool dst_blocked,
                              const ConvUse& use, const WeightsLayout* stored, const std::string& name) {
  ConvChoice best;
  const std::pair<bool, bool> tries[] = {{src_blocked, dst_blocked}, {true, true}, {false, true}, {false, false}};
  for (const auto& [s, d] : tries) {
    const ConvProblem p{op, src.extent, dst.extent, s, d};
    if (!p.possible()) continue;
    const auto c = detail::try_formats(p, use, stored);
    if (c && c->rank < best.rank) best = *c;
    if (best.rank == 0) break;
  }
  check(best.rank < 3,
        "{}: oneDNN {}.{} has no convolution for {} to {} channels in {} groups; use the reference backend", name,
        dnnl_version()->major, dnnl_version()->minor, op.in, op.out, op.groups);
  best.winograd = best.rank == 0 && detail::has_winograd(best, use);
  return best;
}

}  // namespace moecnn::onednn
