#pragma once
/// \file
/// bfloat16: a float without the lower half of its mantissa.

#include <bit>
#include <cstdint>

namespace moecnn {

/// 1 sign, 8 exponent and 7 mantissa bits. It is for storage only; arithmetic is done in float.
struct Bf16 {
  std::uint16_t bits = 0;

  Bf16() = default;
  /// Rounds to the nearest, of two equally near ones to the even, as the hardware and PyTorch do. NaN stays NaN.
  explicit constexpr Bf16(float x) {
    const auto u = std::bit_cast<std::uint32_t>(x);
    const bool nan = (u & 0x7FFF'FFFFu) > 0x7F80'0000u;
    bits = static_cast<std::uint16_t>(nan ? (u >> 16) | 0x40u : (u + 0x7FFFu + ((u >> 16) & 1u)) >> 16);
  }
  explicit constexpr Bf16(double x) : Bf16(static_cast<float>(x)) {}

  constexpr operator float() const { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }
};

}  // namespace moecnn
