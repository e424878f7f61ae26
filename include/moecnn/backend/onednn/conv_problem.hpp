#pragma once
/// \file
/// A convolution in the terms of oneDNN: sizes, formats, the three directions.

#include "moecnn/backend/onednn/layout.hpp"

#include <string_view>

namespace moecnn::onednn {

enum class Pass { forward, backward_data, backward_weights };
inline constexpr Pass passes[] = {Pass::forward, Pass::backward_data, Pass::backward_weights};

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
    // A transposed convolution may be given an input that is smaller than this one's output would be.
    d.pad_end = {pad_end(src.h, dst.h, op.kernel.h, op.stride.h, op.pad.h, op.dilation.h),
                 pad_end(src.w, dst.w, op.kernel.w, op.stride.w, op.pad.w, op.dilation.w)};
    return d;
  }

 private:
  static int pad_end(int from, int to, int kernel, int stride, int pad, int dilation) {
    return pad - stride * (window_out(from, kernel, stride, pad, dilation) - to);
  }
  Dims weights(int i, int o, int g) const {
    if (g == 1) return {o, i, op.kernel.h, op.kernel.w};
    return {g, o / g, i / g, op.kernel.h, op.kernel.w};
  }
};

/// 0: generated for this CPU; 1: through matrix products; 2: oneDNN's reference code, some hundred times slower.
inline int rank_of(std::string_view implementation) {
  if (implementation.find("ref") != std::string_view::npos) return 2;
  return implementation.find("gemm") != std::string_view::npos ? 1 : 0;
}

}  // namespace moecnn::onednn
