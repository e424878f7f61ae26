#include "moecnn/core/error.hpp"

#include <doctest/doctest.h>

using namespace moecnn;

TEST_CASE("errors carry a formatted sentence") {
  CHECK_THROWS_WITH_AS(fail("{} has {} channels, expected {}", "conv1", 3, 64), "conv1 has 3 channels, expected 64",
                       Error);
  CHECK_THROWS_WITH_AS(check(false, "{:.1f} is too much", 2.25), "2.2 is too much", Error);
  CHECK_THROWS_AS(check(1 > 2, "no arguments"), std::runtime_error);
}

namespace {
struct Counted {
  operator std::string_view() const { return ++times, "counted"; }
  static inline int times = 0;
};
}  // namespace

TEST_CASE("a check that holds formats nothing") {
  check(true, "{}", Counted{});
  CHECK(Counted::times == 0);
  CHECK_THROWS_WITH_AS(check(false, "{}", Counted{}), "counted", Error);
  CHECK(Counted::times == 1);
}
