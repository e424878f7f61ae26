#include "moecnn/core/plural.hpp"

#include <doctest/doctest.h>

using moecnn::counted;

TEST_CASE("one thing, several things") {
  CHECK(counted(1, "step") == "1 step");
  CHECK(counted(0, "step") == "0 steps");
  CHECK(counted(21, "step") == "21 steps");
  CHECK(counted(1, "batch", "batches") == "1 batch");
  CHECK(counted(2, "batch", "batches") == "2 batches");
}
