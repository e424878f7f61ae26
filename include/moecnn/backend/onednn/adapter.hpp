#pragma once
/// \file
/// The only header that knows which oneDNN it is: 2.6 and later build descriptors in two stages, 3.x in one.

#include "moecnn/core/error.hpp"

#include <oneapi/dnnl/dnnl.hpp>

namespace moecnn::onednn {

using Desc = dnnl::memory::desc;
using Dims = dnnl::memory::dims;

inline dnnl::engine& engine() {
  static dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}
/// Streams must not be shared by threads.
inline dnnl::stream& stream() {
  static thread_local dnnl::stream s(engine());
  return s;
}

/// A convolution as oneDNN wants to hear it. `dilates` is dilation - 1.
struct ConvDescs {
  Desc src, weights, dst;
  Desc bias{};  ///< zero descriptor: no bias
  Dims strides, dilates, pad, pad_end;
  bool has_bias = false;
  static constexpr dnnl::algorithm algorithm = dnnl::algorithm::convolution_direct;
};

#if DNNL_VERSION_MAJOR >= 3

inline auto conv_forward(const ConvDescs& d, bool training, const dnnl::primitive_attr& attr) {
  using P = dnnl::convolution_forward::primitive_desc;
  const auto kind = training ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
  return d.has_bias
             ? P(engine(), kind, d.algorithm, d.src, d.weights, d.bias, d.dst, d.strides, d.dilates, d.pad, d.pad_end,
                 attr)
             : P(engine(), kind, d.algorithm, d.src, d.weights, d.dst, d.strides, d.dilates, d.pad, d.pad_end, attr);
}
inline auto conv_backward_data(const ConvDescs& d, const dnnl::convolution_forward::primitive_desc& hint,
                               const dnnl::primitive_attr& attr) {
  return dnnl::convolution_backward_data::primitive_desc(engine(), d.algorithm, d.src, d.weights, d.dst, d.strides,
                                                         d.dilates, d.pad, d.pad_end, hint, attr);
}
inline auto conv_backward_weights(const ConvDescs& d, const dnnl::convolution_forward::primitive_desc& hint,
                                  const dnnl::primitive_attr& attr) {
  using P = dnnl::convolution_backward_weights::primitive_desc;
  return d.has_bias
             ? P(engine(), d.algorithm, d.src, d.weights, d.bias, d.dst, d.strides, d.dilates, d.pad, d.pad_end, hint,
                 attr)
             : P(engine(), d.algorithm, d.src, d.weights, d.dst, d.strides, d.dilates, d.pad, d.pad_end, hint, attr);
}
inline void append_relu(dnnl::post_ops& ops) { ops.append_eltwise(dnnl::algorithm::eltwise_relu, 0.f, 0.f); }
inline Dims dims_of(const Desc& d) { return d.get_dims(); }

#else

inline auto conv_forward(const ConvDescs& d, bool training, const dnnl::primitive_attr& attr) {
  using D = dnnl::convolution_forward::desc;
  const auto kind = training ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
  const D desc = d.has_bias
                     ? D(kind, d.algorithm, d.src, d.weights, d.bias, d.dst, d.strides, d.dilates, d.pad, d.pad_end)
                     : D(kind, d.algorithm, d.src, d.weights, d.dst, d.strides, d.dilates, d.pad, d.pad_end);
  return dnnl::convolution_forward::primitive_desc(desc, attr, engine());
}
inline auto conv_backward_data(const ConvDescs& d, const dnnl::convolution_forward::primitive_desc& hint,
                               const dnnl::primitive_attr& attr) {
  const dnnl::convolution_backward_data::desc desc(d.algorithm, d.src, d.weights, d.dst, d.strides, d.dilates, d.pad,
                                                   d.pad_end);
  return dnnl::convolution_backward_data::primitive_desc(desc, attr, engine(), hint);
}
inline auto conv_backward_weights(const ConvDescs& d, const dnnl::convolution_forward::primitive_desc& hint,
                                  const dnnl::primitive_attr& attr) {
  using D = dnnl::convolution_backward_weights::desc;
  const D desc = d.has_bias ? D(d.algorithm, d.src, d.weights, d.bias, d.dst, d.strides, d.dilates, d.pad, d.pad_end)
                            : D(d.algorithm, d.src, d.weights, d.dst, d.strides, d.dilates, d.pad, d.pad_end);
  return dnnl::convolution_backward_weights::primitive_desc(desc, attr, engine(), hint);
}
inline void append_relu(dnnl::post_ops& ops) { ops.append_eltwise(1.f, dnnl::algorithm::eltwise_relu, 0.f, 0.f); }
inline Dims dims_of(const Desc& d) { return d.dims(); }

#endif

/// Primitives never allocate on their own: what they need to work is part of the plan.
inline dnnl::primitive_attr user_scratchpad() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

/// channel_block(): channels that the vector kernels of this CPU take at once. with_channel_block(f): f(Block<that>{}).
template <int B>
using Block = std::integral_constant<int, B>;

#ifdef __AVX512F__  // such a program runs on no lesser CPU, so it need not hold code for one
constexpr int channel_block() { return 16; }
template <class F>
auto with_channel_block(const F& f) {
  return f(Block<16>{});
}
#else
inline int channel_block() {
  constexpr int wide = static_cast<int>(dnnl::cpu_isa::avx512_core);  // a set of bits
  static const int block = (static_cast<int>(dnnl::get_effective_cpu_isa()) & wide) == wide ? 16 : 8;
  return block;
}
template <class F>
auto with_channel_block(const F& f) {
  return channel_block() == 16 ? f(Block<16>{}) : f(Block<8>{});
}
#endif

}  // namespace moecnn::onednn
