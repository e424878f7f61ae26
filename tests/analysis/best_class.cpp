#include "moecnn/analysis/best_class.hpp"

#include "moecnn/core/rng.hpp"

#include <doctest/doctest.h>

using namespace moecnn;

TEST_CASE("the highest score decides, lower classes win ties, and a pixel without numbers has no class") {
  const float none = std::numeric_limits<float>::quiet_NaN(), infinite = std::numeric_limits<float>::infinity();
  const std::vector<float> scores{1, 5,  none, none, -infinite,  //
                                  2, 5,  1,    none, -infinite,  //
                                  3, -1, 0,    none, -infinite};
  const auto map = analysis::best_classes(scores.data(), 3, 1, 5);
  CHECK(map.h == 1);
  CHECK(map.w == 5);
  CHECK(map.values == std::vector<std::uint8_t>{2, 0, 1, data::ignore_label, data::ignore_label});
}

TEST_CASE("maps larger than a block") {
  const int classes = 7, h = 61, w = 83, n = h * w;
  std::vector<double> scores(static_cast<std::size_t>(classes) * n);
  const Rng rng(3, Purpose::other);
  for (std::size_t i = 0; i < scores.size(); ++i) scores[i] = rng.uniform(i);
  const auto map = analysis::best_classes(scores.data(), classes, h, w);
  int wrong = 0;
  for (int p = 0; p < n; ++p) {
    int best = 0;
    for (int c = 1; c < classes; ++c)
      if (scores[static_cast<std::size_t>(c) * n + p] > scores[static_cast<std::size_t>(best) * n + p]) best = c;
    wrong += map.values[p] != best;
  }
  CHECK(wrong == 0);
}
