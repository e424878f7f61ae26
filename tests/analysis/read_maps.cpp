#include "moecnn/analysis/read_maps.hpp"

#include <doctest/doctest.h>

#include "moecnn/core/rng.hpp"

using namespace moecnn;

namespace {
std::vector<float> random_values(std::size_t n) {
  std::vector<float> v(n);
  const Rng rng(3, Purpose::other);
  for (std::size_t i = 0; i < n; ++i) v[i] = static_cast<float>(rng.normal(i));
  return v;
}
}  // namespace

TEST_CASE("at the size of the logits: the best class, the loss of labelled pixels, the lower class of equal ones") {
  // 1 map of 1 × 3 pixels, 2 classes.
  const std::vector<float> z{1, 0, 2, 0, 3, 2};
  const std::vector<int> labels{0, 0, 255};
  analysis::MapReading out;
  analysis::read_maps(z.data(), {1, 1, 3}, 2, labels.data(), {1, 3}, 255, out);
  CHECK(out.predicted == std::vector<std::uint8_t>{0, 1, 0});
  CHECK(out.labelled == 2);
  CHECK(out.loss == doctest::Approx(std::log(1 + std::exp(-1.0)) + 3 + std::log(1 + std::exp(-3.0))));
  analysis::read_maps(z.data(), {1, 1, 3}, 2, static_cast<const int*>(nullptr), {1, 3}, 255, out);
  CHECK(out.loss == 0);
  CHECK(out.predicted[1] == 1);
}

TEST_CASE("where no score is a number no class is predicted") {
  const float nan = std::nanf("");
  const std::vector<float> logits{nan, nan, 1, nan, 2, 0};  // two classes of three pixels
  analysis::MapReading r;
  analysis::read_maps(logits.data(), {1, 1, 3}, 2, static_cast<const int*>(nullptr), {1, 3}, 255, r);
  CHECK(r.predicted == std::vector<std::uint8_t>{255, 1, 0});
}

TEST_CASE("at another size: logits are resized first, as PyTorch does it") {
  // A row 0 4 of 2 pixels is 0 1 3 4 in 4 (align_corners=False); class 1 is 2 everywhere.
  const std::vector<float> z{0, 4, 2, 2};
  analysis::MapReading out;
  analysis::read_maps(z.data(), {1, 1, 2}, 2, static_cast<const int*>(nullptr), {2, 4}, 255, out);
  CHECK(out.predicted == std::vector<std::uint8_t>{1, 1, 0, 0, 1, 1, 0, 0});
}

TEST_CASE("many maps: the same as one by one") {
  const int n = 3, classes = 5, h = 13, w = 17;
  const auto z = random_values(std::size_t{n} * classes * h * w);
  std::vector<int> labels(std::size_t{n} * h * w);
  const Rng rng(4, Purpose::other);
  for (std::size_t i = 0; i < labels.size(); ++i)
    labels[i] = rng.below(7, i) == 6 ? 255 : static_cast<int>(rng.below(5, i, 1));
  analysis::MapReading all, one;
  analysis::read_maps(z.data(), {n, h, w}, classes, labels.data(), {h, w}, 255, all);
  double loss = 0;
  for (int i = 0; i < n; ++i) {
    analysis::read_maps(z.data() + i * classes * h * w, {1, h, w}, classes, labels.data() + i * h * w, {h, w}, 255,
                        one);
    CHECK(std::equal(one.predicted.begin(), one.predicted.end(), all.predicted.begin() + i * h * w));
    loss += one.loss;
  }
  CHECK(all.loss == doctest::Approx(loss));
}
