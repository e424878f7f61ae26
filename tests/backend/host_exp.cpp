#include "moecnn/backend/host/exp.hpp"

#include <doctest/doctest.h>

#include <limits>

using moecnn::host::choose;
using moecnn::host::exp_of;

TEST_CASE("exp in float: three units in the last place, NaN, and ends that are finite") {
  double worst = 0;
  for (int i = -870'000; i <= 880'000; ++i) {
    const float x = static_cast<float>(i) * 1e-4f;
    const double right = std::exp(static_cast<double>(x));
    worst = std::max(worst, std::abs(exp_of(x) - right) / right);
  }
  CHECK(worst < 3 * 0x1p-23);
  CHECK(exp_of(0.f) == 1.f);
  CHECK(std::isnan(exp_of(std::nanf(""))));
  const float infinity = std::numeric_limits<float>::infinity();
  CHECK(exp_of(-infinity) == doctest::Approx(std::exp(-87.0)));
  CHECK(exp_of(infinity) == doctest::Approx(std::exp(88.0)));
}

TEST_CASE("choose: the one or the other, bit by bit") {
  CHECK(choose(true, 1.5f, -2.f) == 1.5f);
  CHECK(choose(false, 1.5f, -2.f) == -2.f);
  CHECK(choose(false, std::numeric_limits<double>::infinity(), 0.0) == 0.0);
  CHECK(std::isnan(choose(true, std::nan(""), 0.0)));
}
