#pragma once
#include <bit>
#include <cmath>
#include <cstdint>

namespace moecnn::host {

/// ln x for x > 0. In float without branches or calls, so that loops become vectors: x = 2^n m with m in √½ … √2, and
/// ln m = 2 (t + t³/3 + t⁵/5 + …), t = (m - 1) / (m + 1). Off by less than 3 units in the last place for normal
/// numbers. What lies below is taken for the smallest of them; NaN and infinity become NaN.
inline double log_of(double x) { return std::log(x); }
inline float log_of(float x) {
  const float nothing = x - x;  // but NaN
  const std::int32_t given = std::bit_cast<std::int32_t>(x), bits = given < 0x00800000 ? 0x00800000 : given;
  // Such that m is in √½ … √2: exponent bits count from that of √½.
  const std::int32_t n = (bits - 0x3f3504f3) >> 23;
  const float m = std::bit_cast<float>(bits - n * (1 << 23)), d = m - 1.f;
  const float t = d / (2.f + d), s = t * t;
  float y = 0x1.c71c72p-3f;  // 2/9, 2/7, 2/5, 2/3
  y = y * s + 0x1.24924ap-2f;
  y = y * s + 0x1.99999ap-2f;
  y = y * s + 0x1.555556p-1f;
  // ln m = d - t (d - s y): the part without rounding first.
  const float small = d - t * (d - s * y);
  const auto k = static_cast<float>(n);
  return k * 0x1.62e4p-1f + (k * 0x1.7f7d1cp-20f + small) + nothing;
}

}  // namespace moecnn::host
