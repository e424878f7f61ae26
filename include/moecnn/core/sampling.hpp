#pragma once
/// \file
/// Which pixels a resized map reads, along one axis. Formulas as PyTorch has them (interpolate with a given size).

#include <algorithm>
#include <cmath>

namespace moecnn {

/// One output pixel is (1 - t) · in[lo] + t · in[hi].
struct Tap {
  int lo = 0, hi = 0;
  double t = 0;
};

/// Output pixel `i` of `out`, from `in` pixels. `align_corners`: the centres of the first and the last pixels fall onto
/// each other, i (in - 1) / (out - 1); otherwise the edges of the map do, (i + 1/2) in / out - 1/2, not below 0.
inline Tap bilinear_tap(int i, int in, int out, bool align_corners) {
  const double at = align_corners ? (out > 1 ? i * (static_cast<double>(in - 1) / (out - 1)) : 0.0)
                                  : std::max(0.0, (i + 0.5) * (static_cast<double>(in) / out) - 0.5);
  const int lo = std::min(static_cast<int>(at), in - 1);
  return {lo, std::min(lo + 1, in - 1), std::clamp(at - lo, 0.0, 1.0)};
}

/// The nearest pixel, floor(i · in / out) with the quotient as a float.
inline int nearest_source(int i, int in, int out) {
  if (in == out) return i;
  const float scale = static_cast<float>(in) / static_cast<float>(out);
  return std::min(static_cast<int>(std::floor(static_cast<float>(i) * scale)), in - 1);
}

}  // namespace moecnn
