#pragma once
/// \file
/// A mixture that replaces one convolution and routes every patch of the map by itself.

#include "moecnn/moe/moe.hpp"

namespace moecnn {

/// How a map is cut: into grid.h × grid.w patches, or, where `size` is given, into patches of that many pixels. One
/// patch per map (grid = 1) is routing per image.
struct PatchOpts {
  Size2 grid = 3;
  Size2 size = 0;

  PatchGrid cut(Size2 map, Size2 halo) const {
    return size == Size2(0) ? PatchGrid::of_count(map, grid, halo) : PatchGrid::of_size(map, size, halo);
  }
};

/// The halo of an expert, and the layer that turns a patch with its halo into one without. A layer that has a member
/// `halo` and leaves that many pixels out on each side is such an expert already.
template <class E>
struct PatchExpert {
  static_assert(
      requires { E::halo; },
      "PatchMoE<Expert>: an expert on patches is a Conv, or a layer with a member `halo`, the pixels on each "
      "side that it reads and leaves out of its result");
  static constexpr Size2 halo = E::halo;
  using layer = E;
};

/// A convolution that keeps the size of its map reads `pad` pixels beyond a patch: those of the neighbours, and zeros
/// beyond the map. On patches it needs no padding of its own, so there are no seams.
template <int In, int Out, ConvOpts O>
struct PatchExpert<Conv<In, Out, O>> {
  static_assert(O.stride == Size2(1), "PatchMoE<Conv>: the convolution must have stride 1");
  static_assert(
      2 * O.pad.h == O.dilation.h * (O.kernel.h - 1) && 2 * O.pad.w == O.dilation.w * (O.kernel.w - 1),
      "PatchMoE<Conv>: the convolution must keep the size of the map, with pad = dilation * (kernel - 1) / 2");
  static constexpr Size2 halo = O.pad;
  static constexpr ConvOpts unpadded = [] {
    ConvOpts o = O;
    o.pad = 0;
    return o;
  }();
  using layer = Conv<In, Out, unpadded>;
};

/// The addition to the mixture's result: nothing, a convolution that sees every patch (its parameters lie under
/// `shared`), or the input itself.
enum class Beside : unsigned char { nothing, shared, input };

/// PatchConvMoE: the map is cut into patches, each patch is a row for the gate and goes to k of N experts with the pixels
/// around it that they need, and the results are put together again. One expert with weight 1 is the plain convolution,
/// for every grid and size of map. A balance loss counts all patches of the batch.
template <class Expert, int N, class Router = TopK<2, RouterOpts{.noise = Noise::none}>, class Gate = gate::GapLinear,
          class Balance = balance::None, class Constraint = constraint::None>
struct PatchMoE {
  static constexpr int in = Expert::in, out = Expert::out;

  PatchOpts patches{};
  Router router{};
  Gate gate{};
  Balance balance{};
  Constraint constraint{};
  Beside beside = Beside::nothing;
  int experts = N;

  Value<out> wire(Recorder& g, Value<in> x) const {
    const PatchGrid grid = patches.cut(g.size(x), PatchExpert<Expert>::halo);
    const MoE<typename PatchExpert<Expert>::layer, N, Router, Gate, Balance, Constraint> mixture{
        .router = router, .gate = gate, .balance = balance, .constraint = constraint, .experts = experts};
    const auto y = g.from_patches(mixture.wire(g, g.to_patches(x, grid)), grid);
    return add_beside(g, x, y);
  }

 private:
  Value<out> add_beside(Recorder& g, Value<in> x, Value<out> y) const {
    if (beside == Beside::shared) return g.add(y, g("shared", Expert{}, x));
    if constexpr (in == out) {
      if (beside == Beside::input) return g.add(y, x);
    } else {
      check(beside != Beside::input,
            "{}: the input has {} channels and cannot be added to {}; add nothing or a shared "
            "expert",
            g.place(), in, out);
    }
    return y;
  }
};

template <int In, int Out, ConvOpts O, int N, class Router = TopK<2, RouterOpts{.noise = Noise::none}>,
          class Gate = gate::GapLinear, class Balance = balance::None, class Constraint = constraint::None>
using PatchConvMoE = PatchMoE<Conv<In, Out, O>, N, Router, Gate, Balance, Constraint>;

}  // namespace moecnn
