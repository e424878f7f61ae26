#pragma once
#include "moecnn/core/dynamic.hpp"
#include "moecnn/graph/recorder.hpp"

namespace moecnn {

enum class Bias : bool { no, yes };

/// Fully connected layer, [n, In] → [n, Out]. Parameters `weight` [Out, In] and `bias` [Out]. Out may be `dynamic`; then
/// `outputs` says how many.
template <int In, int Out, Bias B = Bias::yes>
struct Linear {
  static constexpr int in = In, out = Out;
  int outputs = Out;

  Value<Out> wire(Recorder& g, Value<In> x) const {
    const Extent e = g.extent(x);
    check(e.h == 1 && e.w == 1, "{}: a linear layer wants one pixel per row and got {}x{}; pool first", g.place(), e.h,
          e.w);
    check(outputs >= 1, "{}: a linear layer needs at least one output, it was given {}", g.place(), outputs);
    constexpr bool bias = B == Bias::yes;
    std::vector<int> params{g.param("weight", {outputs, In}, Init::kaiming_uniform)};
    if (bias) params.push_back(g.param("bias", {outputs}, Init::fan_in_uniform, In));
    return {g.record(ops::Linear{In, outputs, bias}, {x.edge}, outputs, {e.n, 1, 1}, std::move(params))};
  }
};

}  // namespace moecnn
