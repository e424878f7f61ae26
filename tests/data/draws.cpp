#include "moecnn/data/draws.hpp"

#include <doctest/doctest.h>

using namespace moecnn;

TEST_CASE("draws are the words of one index, lane after lane") {
  const Rng rng(5, Purpose::augment, 2);
  data::Draws draw(rng, 77, 3);
  for (std::uint32_t lane = 3; lane < 6; ++lane)
    for (int w = 0; w < 4; ++w) CHECK(draw.word() == rng.words(77, lane)[w]);
}

TEST_CASE("draws stay in range and reach all of it") {
  const Rng rng(5, Purpose::augment);
  data::Draws draw(rng, 0);
  int count[6] = {};
  float low = 9, high = -9;
  for (int i = 0; i < 6000; ++i) {
    ++count[draw.below(6)];
    const float u = draw.uniform(-1, 2);
    low = std::min(low, u), high = std::max(high, u);
  }
  for (int c : count) CHECK(c == doctest::Approx(1000).epsilon(0.15));
  CHECK(low >= -1);
  CHECK(low < -0.99f);
  CHECK(high < 2);
  CHECK(high > 1.99f);
}
