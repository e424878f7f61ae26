#pragma once
/// The bound that nothing built on oneDNN convolutions can beat: every convolution of a network, timed alone with the
/// layouts that oneDNN prefers, and summed up.

#include "harness.hpp"
#include "moecnn/backend/onednn/adapter.hpp"
#include "moecnn/backend/onednn/conv_primitives.hpp"
#include "moecnn/backend/onednn/conv_transpose.hpp"
#include "moecnn/graph/graph.hpp"

#include <map>

namespace bench {

struct ConvTimes {
  double forward = 0, backward_data = 0, backward_weights = 0;
};

/// Times one convolution of `rows` rows; the gradient of the images is not needed and not counted.
inline ConvTimes time_conv(const moecnn::ops::Conv& c, const moecnn::Edge& in, const moecnn::Edge& out, int rows,
                           bool training, bool needs_data, int rounds) {
  namespace on = moecnn::onednn;
  using dnnl::memory;
  const auto desc = [](on::Dims dims) { return on::Desc(dims, memory::data_type::f32, memory::format_tag::any); };
  on::ConvDescs d;
  d.src = desc({rows, c.in, in.extent.h, in.extent.w});
  d.weights = c.groups == 1 ? desc({c.out, c.in, c.kernel.h, c.kernel.w})
                            : desc({c.groups, c.out / c.groups, c.in / c.groups, c.kernel.h, c.kernel.w});
  d.dst = desc({rows, c.out, out.extent.h, out.extent.w});
  on::set_window(d, c, in.extent, out.extent);

  const auto timed = [&](auto primitive, std::unordered_map<int, memory> args) {
    for (auto& [id, m] : args) std::memset(m.get_data_handle(), 0, m.get_desc().get_size());
    std::vector<double> times;
    for (int i = -2; i < rounds; ++i) {  // two to warm up
      const double time = seconds([&] {
        primitive.execute(on::stream(), args);
        on::stream().wait();
      });
      if (i >= 0) times.push_back(time);
    }
    return median(times);
  };
  const auto make = [&](const on::Desc& m) { return memory(m, on::engine()); };
  ConvTimes t;
  const auto forward = on::conv_forward(d, training, {});
  t.forward = timed(dnnl::convolution_forward(forward), {{DNNL_ARG_SRC, make(forward.src_desc())},
                                                         {DNNL_ARG_WEIGHTS, make(forward.weights_desc())},
                                                         {DNNL_ARG_DST, make(forward.dst_desc())}});
  if (!training) return t;
  if (needs_data) {
    const auto pd = on::conv_backward_data(d, forward, {});
    t.backward_data = timed(dnnl::convolution_backward_data(pd), {{DNNL_ARG_DIFF_SRC, make(pd.diff_src_desc())},
                                                                  {DNNL_ARG_WEIGHTS, make(pd.weights_desc())},
                                                                  {DNNL_ARG_DIFF_DST, make(pd.diff_dst_desc())}});
  }
  const auto pd = on::conv_backward_weights(d, forward, {});
  t.backward_weights =
      timed(dnnl::convolution_backward_weights(pd), {{DNNL_ARG_SRC, make(pd.src_desc())},
                                                     {DNNL_ARG_DIFF_WEIGHTS, make(pd.diff_weights_desc())},
                                                     {DNNL_ARG_DIFF_DST, make(pd.diff_dst_desc())}});
  return t;
}

/// A transposed convolution costs what its mirror image costs: the two directions of the data change places.
inline ConvTimes time_transposed(const moecnn::ops::ConvTranspose& t, const moecnn::Edge& in, const moecnn::Edge& out,
                                 int rows, bool training, bool needs_data, int rounds) {
  const ConvTimes m = time_conv(moecnn::onednn::mirrored(t), out, in, rows, true, true, rounds);
  if (!training) return {m.backward_data, 0, 0};
  return {m.backward_data, needs_data ? m.forward : 0, m.backward_weights};
}

/// Sum over the network in seconds. An expert's convolutions count once per expert, at the mean number of rows; where there
/// are fewer rows than experts, once per row.
inline ConvTimes conv_bound(const moecnn::Graph& g, bool training, int rounds) {
  ConvTimes sum;
  std::map<std::string, ConvTimes> known;  // equal shapes are timed once
  for (const moecnn::Node& n : g.nodes) {
    const auto* c = std::get_if<moecnn::ops::Conv>(&n.op);
    const auto* t = std::get_if<moecnn::ops::ConvTranspose>(&n.op);
    if (!c && !t) continue;
    const moecnn::Edge &in = g.edges[n.inputs[0]], &out = g.output_of(n);
    const bool needs_data = n.inputs[0] != g.input;
    const int busy = std::min(n.experts, out.extent.n), rows = out.extent.n / busy;
    std::string key =
        fmt::format("{} {} {} {} {} {}", n.op.index(), rows, in.extent.h, in.extent.w, out.extent.h, out.extent.w);
    const auto shape = [&](const auto& op) {
      key += fmt::format(" {} {} {} {} {} {} {} {} {}", op.in, op.out, op.kernel.h, op.kernel.w, op.stride.h,
                         op.dilation.h, op.dilation.w, op.groups, needs_data);
    };
    c ? shape(*c) : shape(*t);
    if (!known.count(key))
      known[key] = c ? time_conv(*c, in, out, rows, training, needs_data, rounds)
                     : time_transposed(*t, in, out, rows, training, needs_data, rounds);
    const ConvTimes& times = known[key];
    sum.forward += busy * times.forward;
    sum.backward_data += busy * times.backward_data;
    sum.backward_weights += busy * times.backward_weights;
  }
  return sum;
}

}  // namespace bench
