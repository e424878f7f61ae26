#pragma once
/// \file
/// One pixel of a channel block as one value. The compiler makes of it whatever vectors the target has, so these
/// kernels need no intrinsics, no -O3 and no -march to be right, and all of it to be fast.

namespace moecnn::onednn {

template <int B>
struct LanesOf {
  using type [[gnu::vector_size(B * sizeof(float)), gnu::aligned(sizeof(float)), gnu::may_alias]] = float;
};
template <int B>
using Lanes = typename LanesOf<B>::type;

template <int B>
Lanes<B>& lanes(float* p) {
  return *reinterpret_cast<Lanes<B>*>(p);
}
template <int B>
const Lanes<B>& lanes(const float* p) {
  return *reinterpret_cast<const Lanes<B>*>(p);
}

/// Pixels whose sums are kept in float before they are added to doubles.
inline constexpr long long float_run = 512;

/// Work smaller than this, in floats, is done by the calling thread: waking others costs more.
inline constexpr long long parallel_threshold = 16 * 1024;

}  // namespace moecnn::onednn
