#include "moecnn/train/recent_mean.hpp"

#include <doctest/doctest.h>

using namespace moecnn;

TEST_CASE("a recent mean starts as a plain mean and then forgets") {
  RecentMean m(4);
  for (double v : {1.0, 2.0, 3.0}) m.add(v);
  CHECK(m.mean() == doctest::Approx(2));
  for (int i = 0; i < 100; ++i) m.add(10);
  CHECK(m.mean() == doctest::Approx(10));
}
