#include "moecnn/train/metrics.hpp"

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

TEST_CASE("a recent mean starts as a plain mean and then forgets") {
  RecentMean m(4);
  for (double v : {1.0, 2.0, 3.0}) m.add(v);
  CHECK(m.mean() == doctest::Approx(2));
  for (int i = 0; i < 100; ++i) m.add(10);
  CHECK(m.mean() == doctest::Approx(10));
}

TEST_CASE("pixels: those to ignore do not count, ties go to the lower class, maps larger than a strip") {
  const std::vector<float> z{0, 3, 1, /**/ 0, 1, 2};  // 1 map of 3 pixels, 2 classes
  const std::vector<int> labels{0, 9, 1};
  const PixelCount c = count_pixels(z.data(), labels.data(), 1, 2, 3, 9);
  CHECK(c.right == 2);
  CHECK(c.labelled == 2);
  CHECK(c.accuracy() == 1);
  const std::vector<float> large(2 * 3 * 5000);  // 2 maps, 3 classes, all equal
  std::vector<int> all(2 * 5000, 0);
  all[9999] = 1;
  CHECK(count_pixels(large.data(), all.data(), 2, 3, 5000, -1).right == 9999);
  CHECK(count_pixels(large.data(), all.data(), 2, 3, 5000, 0).accuracy() == 0);
  CHECK(PixelCount{}.accuracy() == 0);
}

TEST_CASE("a pixel whose scores are no numbers is wrong, one with a single bad score may be right") {
  const float bad = std::nanf("");
  const std::vector<float> z{bad, bad, 1, /**/ bad, 2, bad};  // 3 pixels, 2 classes
  for (int right = 0; right < 2; ++right) {
    const std::vector<int> labels{right, right, right};
    CHECK(count_pixels(z.data(), labels.data(), 1, 2, 3, 9).right == 1);
  }
}
