#pragma once
#include <bit>
#include <cmath>
#include <cstdint>

namespace moecnn::host {

/// `first` or `second`, without a branch: GCC leaves a loop alone in which an operation on floating-point numbers
/// depends on a condition, and makes one of `which ? first : second` if it can.
inline double choose(bool which, double first, double second) {
  const auto mask = -static_cast<std::int64_t>(which);
  return std::bit_cast<double>((std::bit_cast<std::int64_t>(first) & mask) |
                               (std::bit_cast<std::int64_t>(second) & ~mask));
}
inline float choose(bool which, float first, float second) {
  const auto mask = -static_cast<std::int32_t>(which);
  return std::bit_cast<float>((std::bit_cast<std::int32_t>(first) & mask) |
                              (std::bit_cast<std::int32_t>(second) & ~mask));
}

/// e^x. In float without branches or calls, so that loops become vectors: x = n ln 2 + r with |r| ≤ ln 2 / 2, a
/// polynomial for e^r and n in the exponent's bits. Off by less than 3 units in the last place between -87 and 88, which x
/// is taken to lie in; NaN stays NaN. Bounds and NaN are matters of integers here, see choose().
inline double exp_of(double x) { return std::exp(x); }
inline float exp_of(float given) {
  const std::int32_t bits = std::bit_cast<std::int32_t>(given);
  const std::int32_t size = bits & 0x7fffffff, most = bits < 0 ? 0x42ae0000 : 0x42b00000;  // 87 and 88
  const std::int32_t nan = size > 0x7f800000 ? 0x7fc00000 : 0;
  const float x = std::bit_cast<float>((size < most ? size : most) | (bits & ~0x7fffffff));
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
  const float two_n = std::bit_cast<float>((std::bit_cast<std::uint32_t>(near) + 127u) << 23);
  return std::bit_cast<float>(std::bit_cast<std::int32_t>(y * two_n) | nan);
}

}  // namespace moecnn::host
