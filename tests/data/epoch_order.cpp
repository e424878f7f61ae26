#include "moecnn/data/epoch_order.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using moecnn::data::EpochOrder;

TEST_CASE("an order is a permutation that depends on seed and epoch alone") {
  EpochOrder order(50, 7, true), same(50, 7, true), other(50, 8, true);
  const auto first = order.of(0), second = order.of(1);
  CHECK(first != second);
  CHECK(same.of(1) == second);  // whatever was asked for before
  CHECK(order.of(0) == first);
  CHECK(other.of(0) != first);
  auto sorted = second;
  std::sort(sorted.begin(), sorted.end());
  for (int i = 0; i < 50; ++i) CHECK(sorted[i] == i);
  CHECK(EpochOrder(50, 7, false).of(3) == sorted);
}
