#include "moecnn/report/axis.hpp"

#include <doctest/doctest.h>

#include <random>

using namespace moecnn::report;

namespace {
constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();
}

TEST_CASE("round ticks enclose the range in round, growing steps") {
  std::mt19937 random(1);
  std::uniform_real_distribution<double> exponent(-12, 12), unit(-1, 1);
  for (int i = 0; i < 500; ++i) {
    const double scale = std::pow(10.0, exponent(random));
    double lo = unit(random) * scale, hi = unit(random) * scale;
    if (lo > hi) std::swap(lo, hi);
    const auto ticks = round_ticks(lo, hi, 5);
    REQUIRE(ticks.size() >= 2);
    CHECK(ticks.size() <= 12);
    CHECK(ticks.front() <= lo + 1e-6 * (hi - lo));
    CHECK(ticks.back() >= hi - 1e-6 * (hi - lo));
    for (std::size_t t = 1; t < ticks.size(); ++t) CHECK(ticks[t] > ticks[t - 1]);
  }
  CHECK(round_ticks(0, 4.7, 5) == std::vector<double>{0, 1, 2, 3, 4, 5});
}

TEST_CASE("round ticks of one value, nearly one value and nothing but zero still make an axis") {
  for (const auto& [lo, hi] : {std::pair{3.0, 3.0}, {0.0, 0.0}, {-2.0, -2.0}, {1.0, 1.0 + 1e-15}, {0.0, 1e-310}}) {
    const auto ticks = round_ticks(lo, hi, 5);
    REQUIRE(ticks.size() >= 2);
    CHECK(ticks.front() < ticks.back());
    CHECK(ticks.front() <= lo);
    CHECK(ticks.back() >= hi);
  }
}

TEST_CASE("logarithmic ticks enclose the range") {
  for (const auto& [lo, hi] : {std::pair{1e-3, 1e-1}, {0.3, 0.4}, {2.0, 5e6}, {1e-200, 1e100}, {1.0, 10.0}}) {
    const auto ticks = log_ticks(lo, hi);
    REQUIRE(ticks.size() >= 2);
    CHECK(ticks.size() <= 9);
    CHECK(ticks.front() <= lo * 1.0001);
    CHECK(ticks.back() >= hi * 0.9999);
  }
}

TEST_CASE("tick texts agree in their decimals") {
  CHECK(tick_texts({0, 0.5, 1}) == std::vector<std::string>{"0.0", "0.5", "1.0"});
  CHECK(tick_texts({0, 20, 40}) == std::vector<std::string>{"0", "20", "40"});
  CHECK(tick_texts({-4, -2, 0}) == std::vector<std::string>{"−4", "−2", "0"});
  CHECK(tick_texts({0, 5000, 10000}) == std::vector<std::string>{"0", "5k", "10k"});
  CHECK(tick_texts({1e-4, 1e-3}, true) == std::vector<std::string>{"10⁻⁴", "10⁻³"});
  CHECK(tick_texts({0.01, 0.1}, true) == std::vector<std::string>{"0.01", "0.1"});
}

TEST_CASE("spread separates labels, keeps their order and stays inside") {
  const auto at = spread({50, 50, 10, 51, 99}, 10, 0, 100);
  CHECK(at[2] < at[0]);
  CHECK(at[0] < at[1]);
  CHECK(at[1] < at[3]);
  CHECK(at[3] < at[4]);
  std::vector<double> sorted(at);
  std::sort(sorted.begin(), sorted.end());
  for (std::size_t i = 1; i < sorted.size(); ++i) CHECK(sorted[i] - sorted[i - 1] >= 10 - 1e-9);
  CHECK(sorted.front() >= 0);
  CHECK(sorted.back() <= 100);
  CHECK(spread({}, 10, 0, 100).empty());
}

TEST_CASE("thinning keeps spikes, gaps and both ends") {
  std::vector<double> y(10000, 1.0);
  y[4321] = 50, y[7000] = -50, y[5555] = nan_value;
  const auto keep = thin(y, 200);
  CHECK(keep.size() <= 320);
  CHECK(keep.front() == 0);
  CHECK(keep.back() == 9999);
  CHECK(std::is_sorted(keep.begin(), keep.end()));
  for (const std::size_t spike : {4321u, 7000u, 5555u}) CHECK(std::count(keep.begin(), keep.end(), spike) == 1);
  CHECK(thin(std::vector<double>{1, 2, 3}, 200).size() == 3);
  CHECK(thin(std::vector<double>{}, 200).empty());
}
