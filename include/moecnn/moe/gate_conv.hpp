#pragma once
/// \file
/// Gates of the segmentation study: convolutions that end in one map per expert, whose means over pixels are the logits.

#include "moecnn/layer/batch_norm.hpp"
#include "moecnn/moe/gate.hpp"

namespace moecnn::gate {

namespace detail {

/// A 3×3 convolution without padding or bias, as all of these gates have it.
template <int In, int Out>
using BareConv = Conv<In, Out, ConvOpts{.kernel = 3}>;

/// Each convolution takes one pixel off every side.
template <int C>
void check_room(const Recorder& g, Value<C> x, int convolutions) {
  const Extent e = g.extent(x);
  const int least = 2 * convolutions + 1;
  check(
      e.h >= least && e.w >= least,
      "{}: a gate of {} convolution(s) without padding needs rows of at least {} × {} pixels and gets {} × {}; choose "
      "a coarser grid or a gate with fewer convolutions",
      g.place(), convolutions, least, least, e.h, e.w);
}

}  // namespace detail

/// Convolution `conv` [N, C, 3, 3], then the mean over pixels: "Conv-GAP".
struct ConvGap {
  template <int N, int C>
  Logits<N> wire(Recorder& g, Value<C> x, Experts<N> experts) const {
    detail::check_room(g, x, 1);
    return logits_of<N>(g.global_avg_pool(g("conv", detail::BareConv<C, N>{experts.count}, x)));
  }
};

/// `conv1` to Width channels, batch norm `bn1`, `conv2` to N channels, mean over pixels; nothing between norm and second
/// convolution: "2Conv-GAP". The batch of the norm is all rows, so all patches of all images.
template <int Width = 8>
struct DoubleConvGapOf {
  template <int N, int C>
  Logits<N> wire(Recorder& g, Value<C> x, Experts<N> experts) const {
    detail::check_room(g, x, 2);
    const auto y = g("bn1", BatchNorm<Width>{}, g("conv1", detail::BareConv<C, Width>{}, x));
    return logits_of<N>(g.global_avg_pool(g("conv2", detail::BareConv<Width, N>{experts.count}, y)));
  }
};
using DoubleConvGap = DoubleConvGapOf<>;

/// One convolution and norm of Width channels more than DoubleConvGap: "3Conv-GAP". (How the study built its own is not
/// known.)
template <int Width = 8>
struct TripleConvGapOf {
  template <int N, int C>
  Logits<N> wire(Recorder& g, Value<C> x, Experts<N> experts) const {
    detail::check_room(g, x, 3);
    const auto y = g("bn1", BatchNorm<Width>{}, g("conv1", detail::BareConv<C, Width>{}, x));
    const auto z = g("bn2", BatchNorm<Width>{}, g("conv2", detail::BareConv<Width, Width>{}, y));
    return logits_of<N>(g.global_avg_pool(g("conv3", detail::BareConv<Width, N>{experts.count}, z)));
  }
};
using TripleConvGap = TripleConvGapOf<>;

}  // namespace moecnn::gate
