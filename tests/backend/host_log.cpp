#include "moecnn/backend/host/log.hpp"

#include <doctest/doctest.h>

#include <limits>

using moecnn::host::log_of;

TEST_CASE("log in float: three units in the last place, NaN, and a smallest number") {
  double worst = 0;
  for (std::uint32_t bits = 0x00800000; bits < 0x7f800000; bits += 1'013) {
    const float x = std::bit_cast<float>(bits), right = static_cast<float>(std::log(static_cast<double>(x)));
    const double unit = std::nextafter(std::abs(right), std::numeric_limits<float>::infinity()) - std::abs(right);
    worst = std::max(worst, std::abs(log_of(x) - std::log(static_cast<double>(x))) / unit);
  }
  CHECK(worst < 3);
  CHECK(log_of(1.f) == 0.f);
  CHECK(log_of(0.f) == doctest::Approx(std::log(0x1p-126)));
  CHECK(std::isnan(log_of(std::nanf(""))));
  CHECK(log_of(2.0) == std::log(2.0));
}
