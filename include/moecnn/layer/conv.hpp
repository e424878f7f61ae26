#pragma once
#include "moecnn/core/dynamic.hpp"
#include "moecnn/graph/recorder.hpp"

#include <optional>

namespace moecnn {

/// The first values of a convolution, where they are not ConvOpts::init and PyTorch's bias.
struct ConvStart {
  double weight_scale = 1;          ///< factor on what ConvOpts::init draws; 0: zeros
  std::optional<double> bias = {};  ///< the same number for all channels
};

struct ConvOpts {
  Size2 kernel = 1, stride = 1, pad = 0, dilation = 1;
  int groups = 1;
  bool bias = false;  ///< off: nearly every convolution here is followed by a batch norm
  Init init = Init::kaiming_uniform;
};

/// 2-D convolution, [n, In, h, w] → [n, Out, h', w']. Parameters `weight` [Out, In / groups, kh, kw] and `bias` [Out].
/// Out may be `dynamic`; then `outputs` says how many.
template <int In, int Out, ConvOpts O = ConvOpts{}>
struct Conv {
  static_assert(In >= 1 && (Out >= 1 || Out == dynamic), "Conv<In, Out>: both channel counts must be at least 1");
  static_assert(O.groups >= 1 && In % O.groups == 0 && (Out == dynamic || Out % O.groups == 0),
                "Conv<In, Out>: groups must divide both channel counts");
  static_assert(O.kernel.h >= 1 && O.kernel.w >= 1 && O.stride.h >= 1 && O.stride.w >= 1 && O.dilation.h >= 1 &&
                    O.dilation.w >= 1 && O.pad.h >= 0 && O.pad.w >= 0,
                "Conv<In, Out, ConvOpts>: kernel, stride and dilation must be at least 1, padding at least 0");
  static constexpr int in = In, out = Out;
  int outputs = Out;
  ConvStart start{};

  Value<Out> wire(Recorder& g, Value<In> x) const {
    check(outputs >= 1 && outputs % O.groups == 0,
          "{}: a convolution of {} groups cannot have {} outputs; give a multiple of the groups, at least 1", g.place(),
          O.groups, outputs);
    const ops::Conv op{.in = In,
                       .out = outputs,
                       .kernel = O.kernel,
                       .stride = O.stride,
                       .pad = O.pad,
                       .dilation = O.dilation,
                       .groups = O.groups,
                       .bias = O.bias};
    std::vector<int> params{
        g.param("weight", {outputs, In / O.groups, O.kernel.h, O.kernel.w}, O.init, 0, start.weight_scale)};
    const int fan_in = In / O.groups * O.kernel.h * O.kernel.w;
    if (O.bias)
      params.push_back(start.bias ? g.param("bias", {outputs}, Init::ones, 0, *start.bias)
                                  : g.param("bias", {outputs}, Init::fan_in_uniform, fan_in));
    return {g.record(op, {x.edge}, outputs, op.output(g.extent(x)), std::move(params))};
  }
};

}  // namespace moecnn
