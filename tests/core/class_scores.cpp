#include "moecnn/core/class_scores.hpp"

#include <doctest/doctest.h>

#include <vector>

#include <limits>

using namespace moecnn;

TEST_CASE("ranks: ties go to the lower class, NaN is never right") {
  const float z[] = {1, 3, 3, 0, -1};
  CHECK(rank_of(z, 5, 1) == 0);
  CHECK(rank_of(z, 5, 2) == 1);
  CHECK(rank_of(z, 5, 0) == 2);
  CHECK(rank_of(z, 5, 4) == 4);
  const float bad[] = {1, std::numeric_limits<float>::quiet_NaN(), 0};
  CHECK(rank_of(bad, 3, 1) == 3);
}

TEST_CASE("top-k counts rows") {
  const double z[] = {0, 1, 2, 2, 1, 0, 5, 9, 7};
  const int labels[] = {2, 2, 0};
  CHECK(count_top_k(z, labels, 3, 3, 1) == 1);
  CHECK(count_top_k(z, labels, 3, 3, 2) == 1);
  CHECK(count_top_k(z, labels, 3, 3, 3) == 3);
}

TEST_CASE("cross-entropy of given logits, large ones too") {
  const float z[] = {1, 2, 3};
  const double sum = std::exp(1.0) + std::exp(2.0) + std::exp(3.0);
  CHECK(cross_entropy_of(z, 3, 1) == doctest::Approx(std::log(sum) - 2));
  const float large[] = {1e30f, 0};
  CHECK(cross_entropy_of(large, 2, 0) == 0);
}
