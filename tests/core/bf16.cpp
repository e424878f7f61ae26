#include "moecnn/core/bf16.hpp"

#include <doctest/doctest.h>
#include <cmath>
#include <initializer_list>
#include <limits>

using namespace moecnn;

namespace {

std::uint16_t bits(float x) { return Bf16(x).bits; }

}  // namespace

TEST_CASE("bf16 keeps what it can hold, and every bf16 comes back from float with its bits") {
  static_assert(sizeof(Bf16) == 2);
  for (const float x : {0.f, -0.f, 1.f, -1.5f, 0.15625f, 3.0e38f, 1.0e-38f}) {
    const Bf16 once(x);
    CHECK(bits(once) == once.bits);
  }
  CHECK(static_cast<float>(Bf16(1.f)) == 1.f);
  CHECK(static_cast<float>(Bf16(-0.f)) == 0.f);
  CHECK(std::signbit(static_cast<float>(Bf16(-0.f))));
  for (std::uint32_t b = 0; b < 0x10000; ++b) {
    Bf16 v;
    v.bits = static_cast<std::uint16_t>(b);
    const float wide = v;
    if (std::isnan(wide))
      CHECK(std::isnan(static_cast<float>(Bf16(wide))));
    else
      CHECK(bits(wide) == b);
  }
}

TEST_CASE("bf16 rounds to the nearest, and to the even of two that are equally near") {
  const float step = 0x1p-7f;  // between neighbours of 1
  CHECK(static_cast<float>(Bf16(1 + 0.49f * step)) == 1);
  CHECK(static_cast<float>(Bf16(1 + 0.51f * step)) == 1 + step);
  CHECK(static_cast<float>(Bf16(1 + 0.5f * step)) == 1);             // mantissa 0 is even
  CHECK(static_cast<float>(Bf16(1 + 1.5f * step)) == 1 + 2 * step);  // 1 is odd
  CHECK(static_cast<float>(Bf16(-1 - 1.5f * step)) == -1 - 2 * step);
}

TEST_CASE("bf16 overflows to infinity, keeps infinities and stays no number") {
  const float inf = std::numeric_limits<float>::infinity();
  CHECK(static_cast<float>(Bf16(std::numeric_limits<float>::max())) == inf);
  CHECK(static_cast<float>(Bf16(-inf)) == -inf);
  CHECK(std::isnan(static_cast<float>(Bf16(std::numeric_limits<float>::quiet_NaN()))));
  CHECK(
      std::isnan(static_cast<float>(Bf16(std::bit_cast<float>(0x7F800001u)))));  // whose upper half looks like infinity
}
