#pragma once
/// \file
/// The feature pyramid of RetinaNet (Lin et al., "Feature Pyramid Networks" and "Focal Loss", 2017), levels P3 to P7.

#include "moecnn/layer/conv.hpp"
#include "moecnn/zoo/features.hpp"

#include <array>

namespace moecnn {

/// The last map before the coarse levels P6 and P7.
enum class CoarseFrom : unsigned char { c5, p5 };

/// Five maps of 256 channels at 1/8 to 1/128 of the image's size. With the names of yhenon/pytorch-retinanet:
/// P5 = P5_2(P5_1 C5); P4 = P4_2(m4), m4 = P4_1 C4 + up(P5_1 C5); P3 = P3_2(P3_1 C3 + up(m4)); P6 = P6(C5), or P6(P5);
/// P7 = P7_2(relu P6). `…_1` are 1×1 convolutions, the others 3×3, P6 and P7 with stride 2; all have biases. up() repeats
/// pixels to the size of the finer map, which need not be twice the coarser one's.
template <class Maps>
struct Fpn;

template <int C3, int C4, int C5>
struct Fpn<Features<C3, C4, C5>> {
  static constexpr int out = 256;
  using Levels = std::array<Value<out>, 5>;

  CoarseFrom coarse = CoarseFrom::c5;

  Levels wire(Recorder& g, const Features<C3, C4, C5>& x) const {
    const auto a = reduce(g, "P5_1", x.c5);
    const auto p5 = g("P5_2", Conv<out, out, square(1)>{}, a);
    const auto b = g.add(reduce(g, "P4_1", x.c4), up(g, a, g.size(x.c4)));
    const auto p4 = g("P4_2", Conv<out, out, square(1)>{}, b);
    const auto c = g.add(reduce(g, "P3_1", x.c3), up(g, b, g.size(x.c3)));
    const auto p3 = g("P3_2", Conv<out, out, square(1)>{}, c);
    const auto p6 =
        coarse == CoarseFrom::c5 ? g("P6", Conv<C5, out, square(2)>{}, x.c5) : g("P6", Conv<out, out, square(2)>{}, p5);
    const auto p7 = g("P7_2", Conv<out, out, square(2)>{}, g.relu(p6));
    return {p3, p4, p5, p6, p7};
  }

 private:
  static constexpr ConvOpts square(int stride) {
    return {.kernel = 3, .stride = stride, .pad = 1, .bias = true, .init = Init::kaiming_normal};
  }
  template <int C>
  static Value<out> reduce(Recorder& g, const char* name, Value<C> x) {
    return g(name, Conv<C, out, ConvOpts{.bias = true, .init = Init::kaiming_normal}>{}, x);
  }
  static Value<out> up(Recorder& g, Value<out> x, Size2 size) {
    return g.resize(x, size, {.mode = ops::Sampling::nearest});
  }
};

}  // namespace moecnn
