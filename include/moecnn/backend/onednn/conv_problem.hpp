#pragma once
/// \file
/// A convolution in the terms of oneDNN: sizes, formats, the three directions.

#include "moecnn/backend/onednn/layout.hpp"

#include <algorithm>
#include <string_view>

namespace moecnn::onednn {

enum class Pass { forward, backward_data, backward_weights };
inline constexpr const char* pass_names[] = {"forward", "backward data", "backward weights"};
inline constexpr Pass passes[] = {Pass::forward, Pass::backward_data, Pass::backward_weights};

/// How the window moves over maps of these sizes. The padding behind the last row and column follows from them: there is
/// less of it than before the first where a transposed convolution was given an input that is smaller than its mirror
/// image's output would be.
inline void set_window(ConvDescs& d, const ops::Conv& op, Extent src, Extent dst) {
  const auto pad_end = [](int from, int to, int kernel, int stride, int pad, int dilation) {
    return pad - stride * (window_out(from, kernel, stride, pad, dilation) - to);
  };
  d.strides = {op.stride.h, op.stride.w};
  d.dilates = {op.dilation.h - 1, op.dilation.w - 1};
  d.pad = {op.pad.h, op.pad.w};
  d.pad_end = {pad_end(src.h, dst.h, op.kernel.h, op.stride.h, op.pad.h, op.dilation.h),
               pad_end(src.w, dst.w, op.kernel.w, op.stride.w, op.pad.w, op.dilation.w)};
}

/// A convolution with its two maps in given formats. A blocked side has its channels padded to whole blocks, here and in
/// the weights, so oneDNN never meets a tail.
struct ConvProblem {
  ops::Conv op;
  Extent src, dst;
  bool src_blocked = false, dst_blocked = false;
  /// Every so many-th pixel of a map forms a map of its own, a phase, and a row of the node has as many rows here as
  /// there are phases. See split().
  Size2 phases = 1;

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

  /// Whether the taps of a dilated kernel stay within phases of every `by`-th pixel.
  bool splits(Size2 by) const {
    return op.stride == 1 && src_blocked && dst_blocked && op.dilation.h % by.h == 0 && op.dilation.w % by.w == 0 &&
           op.pad.h % by.h == 0 && op.pad.w % by.w == 0;
  }
  /// The same convolution phase by phase: many small maps and a dilation that is smaller by `by`. A map whose size `by`
  /// does not divide gets zeros at its end.
  ConvProblem split(Size2 by) const {
    ConvProblem p = *this;
    p.phases = by;
    p.op.dilation = {op.dilation.h / by.h, op.dilation.w / by.w};
    p.op.pad = {op.pad.h / by.h, op.pad.w / by.w};
    for (Extent* e : {&p.src, &p.dst}) e->h = pieces(e->h, by.h), e->w = pieces(e->w, by.w);
    return p;
  }
  /// The same convolution of maps with so many rows of zeros at their end that the kernel fits between first and last.
  ConvProblem lengthened() const {
    ConvProblem p = *this;
    p.src.h = std::max(src.h, op.dilation.h * (op.kernel.h - 1) + 1);
    return p;
  }
  bool same_maps(const ConvProblem& p) const { return src == p.src && dst == p.dst && phases == p.phases; }
  int parts() const { return phases.h * phases.w; }
  /// Pairs of an output pixel and a tap within the input, over all phases of a row.
  long long taps() const {
    return parts() * taps(src.h, dst.h, op.kernel.h, op.stride.h, op.pad.h, op.dilation.h) *
           taps(src.w, dst.w, op.kernel.w, op.stride.w, op.pad.w, op.dilation.w);
  }

  /// Multiplications of a pass for `rows` rows of the node.
  long long products(int rows) const { return rows * taps() * op.in * op.out / op.groups; }

  /// Sizes of the weights as oneDNN sees them, and as they are.
  Dims weights() const { return weights(in(), out(), groups()); }
  Dims shape() const { return weights(op.in, op.out, op.groups); }

  Desc map(const Extent& e, int rows, int channels, bool blocked) const {
    using Tag = dnnl::memory::format_tag;
    const Tag tag = !blocked ? Tag::nchw : channel_block() == 16 ? Tag::nChw16c : Tag::nChw8c;
    return Desc({rows * parts(), channels, e.h, e.w}, dnnl::memory::data_type::f32, tag);
  }
  Desc any_weights() const { return Desc(weights(), dnnl::memory::data_type::f32, dnnl::memory::format_tag::any); }

  ConvDescs descs(int rows, const Desc& weights, bool bias) const {
    ConvDescs d;
    d.src = map(src, rows, in(), src_blocked);
    d.dst = map(dst, rows, out(), dst_blocked);
    d.weights = weights;
    d.has_bias = bias;
    if (bias) d.bias = Desc({out()}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::a);
    set_window(d, op, src, dst);
    return d;
  }

 private:
  static long long taps(int from, int to, int kernel, int stride, int pad, int dilation) {
    long long n = 0;
    for (int k = 0; k < kernel; ++k)
      for (int o = 0; o < to; ++o) {
        const int at = o * stride + k * dilation - pad;
        n += at >= 0 && at < from;
      }
    return n;
  }
  Dims weights(int i, int o, int g) const {
    if (g == 1) return {o, i, op.kernel.h, op.kernel.w};
    return {g, o / g, i / g, op.kernel.h, op.kernel.w};
  }
};

/// The same convolution with a dilation no wider than the map. Taps that touch no pixel may as well lie nearer.
inline ops::Conv with_near_taps(ops::Conv op, Extent src) {
  const auto pull = [](int kernel, int size, int& pad, int& dilation) {
    if (kernel == 3 && pad == dilation && dilation > size) pad = dilation = size;
  };
  pull(op.kernel.h, src.h, op.pad.h, op.dilation.h);
  pull(op.kernel.w, src.w, op.pad.w, op.dilation.w);
  return op;
}

/// 0: generated for this CPU; 1: through matrix products; 2: oneDNN's reference code, some hundred times slower.
inline int rank_of(std::string_view implementation) {
  if (implementation.find("ref") != std::string_view::npos) return 2;
  return implementation.find("gemm") != std::string_view::npos ? 1 : 0;
}

}  // namespace moecnn::onednn
