#include "moecnn/analysis/median_seconds.hpp"

#include <doctest/doctest.h>

#include "../io/scratch.hpp"

using namespace moecnn;

namespace {

/// Goes forward when it is told to.
struct FakeClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<FakeClock>;
  static inline duration since{};
  static time_point now() { return time_point(since); }
};

}  // namespace

TEST_CASE("runs that warm up do not count, and a run that was disturbed moves nothing") {
  int calls = 0;
  const auto action = [&] {
    const int call = calls++;
    FakeClock::since += std::chrono::milliseconds(call < 2 ? 5000 : call == 5 ? 900 : 10 + call % 3);
  };
  CHECK(analysis::median_seconds<FakeClock>(action) == doctest::Approx(0.011));
  CHECK(calls == 11);
}

TEST_CASE("the mean of the middle two of an even number") {
  int calls = 0;
  const auto action = [&] { FakeClock::since += std::chrono::seconds(++calls); };
  CHECK(analysis::median_seconds<FakeClock>(action, {.warm_up = 0, .runs = 4}) == doctest::Approx(2.5));
  CHECK(has(error_of([&] { analysis::median_seconds(action, {.runs = 0}); }), "0 that count"));
}
