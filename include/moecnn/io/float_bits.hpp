#pragma once
/// \file
/// IEEE half precision, as it stands in files. (core/bf16.hpp has bfloat16.)

#include <bit>
#include <cstdint>

namespace moecnn::io {

/// IEEE half precision. Exact, also for subnormals, infinities and NaN.
constexpr float from_f16(std::uint16_t bits) {
  const std::uint32_t sign = std::uint32_t(bits & 0x8000u) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1Fu;
  const std::uint32_t fraction = bits & 0x3FFu;
  if (exponent == 0) {  // zero and subnormals: fraction · 2^-24
    const float size = static_cast<float>(fraction) * 0x1.0p-24f;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(size) | sign);
  }
  const std::uint32_t wide = exponent == 0x1F ? 0xFFu : exponent + (127 - 15);
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

}  // namespace moecnn::io
