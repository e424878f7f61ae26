#pragma once
#include "moecnn/graph/recorder.hpp"

namespace moecnn {

struct ConvTransposeOpts {
  Size2 kernel = 1, stride = 1, pad = 0, out_pad = 0, dilation = 1;
  int groups = 1;
  bool bias = false;
  Init init = Init::kaiming_uniform;
};

/// Transposed 2-D convolution, [n, In, h, w] → [n, Out, h', w']. Parameters `weight` [In, Out / groups, kh, kw] and `bias`
/// [Out]. Several output sizes share one input size; either `out_pad` chooses, or wire's last argument names the size:
/// `g("up", ConvTranspose<64, 32, …>{}, x, g.size(skip))`.
template <int In, int Out, ConvTransposeOpts O = ConvTransposeOpts{}>
struct ConvTranspose {
  static_assert(In >= 1 && Out >= 1, "ConvTranspose<In, Out>: both channel counts must be at least 1");
  static_assert(O.groups >= 1 && In % O.groups == 0 && Out % O.groups == 0,
                "ConvTranspose<In, Out>: groups must divide both channel counts");
  static_assert(O.kernel.h >= 1 && O.kernel.w >= 1 && O.stride.h >= 1 && O.stride.w >= 1 && O.dilation.h >= 1 &&
                    O.dilation.w >= 1 && O.pad.h >= 0 && O.pad.w >= 0,
                "ConvTranspose<In, Out, Opts>: kernel, stride and dilation must be at least 1, padding at least 0");
  static constexpr bool good(int out_pad, int stride, int dilation) {
    return out_pad >= 0 && (out_pad < stride || out_pad < dilation);
  }
  static_assert(good(O.out_pad.h, O.stride.h, O.dilation.h) && good(O.out_pad.w, O.stride.w, O.dilation.w),
                "ConvTranspose<In, Out, Opts>: output padding must be less than the stride or the dilation");
  static constexpr int in = In, out = Out;

  Value<Out> wire(Recorder& g, Value<In> x) const { return record(g, x, O.out_pad); }

  /// With an output of the given size.
  Value<Out> wire(Recorder& g, Value<In> x, Size2 size) const {
    ops::ConvTranspose least = op(0);
    const Extent y = least.output(g.extent(x));
    const Size2 more{size.h - y.h, size.w - y.w};
    check(good(more.h, O.stride.h, O.dilation.h) && good(more.w, O.stride.w, O.dilation.w),
          "{}: a transposed convolution of a map of {}x{} cannot have an output of {}x{}; {}x{} is the least, and less "
          "than a stride more",
          g.place(), g.size(x).h, g.size(x).w, size.h, size.w, y.h, y.w);
    return record(g, x, more);
  }

 private:
  static ops::ConvTranspose op(Size2 out_pad) {
    return {.in = In,
            .out = Out,
            .kernel = O.kernel,
            .stride = O.stride,
            .pad = O.pad,
            .out_pad = out_pad,
            .dilation = O.dilation,
            .groups = O.groups,
            .bias = O.bias};
  }
  static Value<Out> record(Recorder& g, Value<In> x, Size2 out_pad) {
    const ops::ConvTranspose o = op(out_pad);
    // PyTorch computes fan_in from the weight's second dimension, here too, where it counts outputs.
    std::vector<int> params{g.param("weight", {In, Out / O.groups, O.kernel.h, O.kernel.w}, O.init)};
    if (O.bias)
      params.push_back(g.param("bias", {Out}, Init::fan_in_uniform, Out / O.groups * O.kernel.h * O.kernel.w));
    return {g.record(o, {x.edge}, Out, o.output(g.extent(x)), std::move(params))};
  }
};

}  // namespace moecnn
