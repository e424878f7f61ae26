#pragma once
#include <bit>
#include <cmath>
#include <cstdint>

namespace moecnn::host {

/// e^x. In float without branches or calls, so that loops become vectors: x = n ln 2 + r with |r| ≤ ln 2 / 2, a
/// polynomial for e^r and n in the exponent's bits. Off by less than 3 units in the last place between -87 and 88, which x
/// is taken to lie in; NaN stays NaN.
inline double exp_of(double x) { return std::exp(x); }
inline float exp_of(float x) {
  x = x < -87.f ? -87.f : x;
  x = x > 88.f ? 88.f : x;
  constexpr float shifted = 0x1.8p23f;  // adding it rounds to a whole number, found in the lowest bits
  const float near = x * 0x1.715476p0f + shifted;
  const float n = near - shifted;
  const float r = (x - n * 0x1.62e4p-1f) - n * 0x1.7f7d1cp-20f;  // ln 2 in two parts, the first with few digits
  float y = 0x1.6c16c2p-10f;                                     // 1/6!, 1/5!, …
  y = y * r + 0x1.111112p-7f;
  y = y * r + 0x1.555556p-5f;
  y = y * r + 0x1.555556p-3f;
  y = y * r + 0.5f;
  y = y * r + 1.f;
  y = y * r + 1.f;
  return y * std::bit_cast<float>((std::bit_cast<std::uint32_t>(near) + 127u) << 23);
}

}  // namespace moecnn::host
