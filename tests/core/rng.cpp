#include "moecnn/core/rng.hpp"

#include <doctest/doctest.h>
#include <algorithm>
#include <numeric>
#include <set>
#include <vector>

using namespace moecnn;

TEST_CASE("philox gives the published known answers") {
  using Four = std::array<std::uint32_t, 4>;
  CHECK(philox({0, 0, 0, 0}, {0, 0}) == Four{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  constexpr std::uint32_t f = 0xffffffff;
  CHECK(philox({f, f, f, f}, {f, f}) == Four{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Four{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("names hash as FNV-1a does") {
  CHECK(hash_name("") == 14695981039346656037ull);
  CHECK(hash_name("a") == 0xaf63dc4c8601ec8cull);
  CHECK(hash_name("foobar") == 0x85944171f73967e8ull);
}

TEST_CASE("a number belongs to its position, whatever was drawn before") {
  const Rng rng(7, Purpose::augment, 3);
  std::vector<double> forwards, backwards(1000);
  for (std::uint64_t i = 0; i < 1000; ++i) forwards.push_back(rng.normal(i));
  for (std::uint64_t i = 1000; i-- > 0;) backwards[i] = Rng(7, Purpose::augment, 3).normal(i);
  CHECK(forwards == backwards);
}

TEST_CASE("seed, purpose, stream, index and lane each give other numbers") {
  std::set<double> all;
  for (const std::uint64_t high : {0ull, 1ull << 32})
    for (std::uint64_t low = 0; low < 4; ++low) {
      const std::uint64_t v = high + low;
      for (const Purpose p : {Purpose::init, Purpose::shuffle, Purpose::gate_noise}) {
        all.insert(Rng(v, p).uniform(5));
        if (v) all.insert(Rng(0, p, v).uniform(5));
        if (v != 5) all.insert(Rng(0, p).uniform(v));
      }
    }
  for (std::uint32_t lane = 1; lane < 4; ++lane) all.insert(Rng(0, Purpose::init).uniform(5, lane));
  CHECK(all.size() == 3 * (8 + 7 + 8) + 3);
}

TEST_CASE("uniform numbers fill [0, 1) evenly") {
  const Rng rng(1, Purpose::other);
  constexpr int n = 100'000, bins = 100;
  std::vector<int> count(bins, 0);
  double low = 1, high = 0, lag = 0, before = 0;
  for (std::uint64_t i = 0; i < n; ++i) {
    const double u = rng.uniform(i);
    ++count[static_cast<std::size_t>(u * bins)];
    low = std::min(low, u), high = std::max(high, u);
    lag += (u - 0.5) * (before - 0.5), before = u;
  }
  CHECK(low >= 0);
  CHECK(high < 1);
  double chi_squared = 0;
  for (int c : count) chi_squared += (c - n / bins) * (c - n / bins) / static_cast<double>(n / bins);
  CHECK(chi_squared > 60);  // 99 degrees of freedom: mean 99, deviation 14
  CHECK(chi_squared < 150);
  CHECK(std::abs(lag / n) * 12 < 0.015);  // correlation of neighbours
}

TEST_CASE("whole numbers below n hit every value alike, also for large n") {
  const Rng rng(2, Purpose::other);
  std::vector<int> count(7, 0);
  for (std::uint64_t i = 0; i < 70'000; ++i) ++count[rng.below(7, i)];
  for (int c : count) CHECK(std::abs(c - 10'000) < 400);
  CHECK(rng.below(1, 123) == 0);
  // floor(x · n / 2^64) for the 64-bit number x of that position, in exact arithmetic.
  __extension__ using Wide = unsigned __int128;
  for (const std::uint64_t n : {3ull, 1ull << 32, (1ull << 40) + 17, ~0ull})
    for (std::uint64_t i = 0; i < 50; ++i) {
      const auto w = rng.words(i);
      const std::uint64_t x = static_cast<std::uint64_t>(w[0]) << 32 | w[1];
      CHECK(rng.below(n, i) == static_cast<std::uint64_t>((static_cast<Wide>(x) * n) >> 64));
    }
}

TEST_CASE("normal numbers have the normal distribution's moments and stay finite") {
  const Rng rng(3, Purpose::init, hash_name("conv1.weight"));
  constexpr int n = 200'000;
  double moments[4] = {};
  int inside = 0;
  for (std::uint64_t i = 0; i < n; ++i) {
    const double x = rng.normal(i);
    double power = 1;
    for (double& m : moments) m += (power *= x) / n;
    inside += std::abs(x) < 1;
  }
  CHECK(std::abs(moments[0]) < 0.01);
  CHECK(std::abs(moments[1] - 1) < 0.02);
  CHECK(std::abs(moments[2]) < 0.05);
  CHECK(std::abs(moments[3] - 3) < 0.15);
  CHECK(std::abs(inside / double(n) - 0.6827) < 0.005);
}
