#include "moecnn/analysis/specialisation.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using namespace moecnn::analysis;

namespace {

Matrix matrix(int rows, int cols, std::vector<double> values) {
  Matrix m(rows, cols);
  std::copy(values.begin(), values.end(), m.flat().begin());
  return m;
}

}  // namespace

TEST_CASE("mean weights, favourite groups and images") {
  const Matrix w = matrix(4, 3,
                          {0.75, 0.25, 0,  //
                           0.5, 0, 0.5,    //
                           0, 0.5, 0.5,    //
                           0, 1, 0});
  const std::vector<int> group{0, 0, 2, 2};
  const Matrix mean = mean_weights(w, group, 3);
  CHECK(mean(0, 0) == 0.625);
  CHECK(mean(1, 0) == 0);
  CHECK(mean(2, 1) == 0.75);
  CHECK(top_groups(mean, 0, 2) == std::vector<int>{0, 1});
  CHECK(top_groups(mean, 1, 5) == std::vector<int>{2, 0, 1});
  CHECK(top_images(w, group, 0, 0, 5) == std::vector<int>{0, 1});
  CHECK(top_images(w, group, 0, 1, 5) == std::vector<int>{0});
  const Matrix pairs = pair_counts(w);
  CHECK(pairs(0, 1) == 1);
  CHECK(pairs(1, 0) == 1);
  CHECK(pairs(0, 2) == 1);
  CHECK(pairs(1, 1) == 3);
}

TEST_CASE("correlations") {
  const std::vector<double> a{1, 2, 3, 4}, b{2, 4, 6, 8}, c{1, 8, 27, 64}, d{4, 3, 2, 1};
  CHECK(pearson(a, b) == doctest::Approx(1));
  CHECK(pearson(a, d) == doctest::Approx(-1));
  CHECK(pearson(a, c) == doctest::Approx(0.951369855792).epsilon(1e-9));
  CHECK(spearman(a, c) == doctest::Approx(1));
  CHECK(ranks(std::vector<double>{5, 1, 5, 0}) == std::vector<double>{3.5, 2, 3.5, 1});
  CHECK(std::isnan(pearson(a, std::vector<double>{1, 1, 1, 1})));
}

TEST_CASE("accuracy counts ties in favour of the lower class") {
  Predictions p;
  p.images = 3;
  p.classes = 3;
  p.logits = {1, 1, 0, 0, 2, 1, 0, 1, 2};
  const std::vector<int> labels{1, 1, 0};
  CHECK(top_k_accuracy(p, labels, 1) == doctest::Approx(1.0 / 3));
  CHECK(top_k_accuracy(p, labels, 2) == doctest::Approx(2.0 / 3));
  CHECK(top_k_accuracy(p, labels, 3) == 1);
  const auto by_class = class_accuracy(p, labels);
  CHECK(by_class[0] == 0);
  CHECK(by_class[1] == 0.5);
  CHECK(std::isnan(by_class[2]));
}

TEST_CASE("logits that are no numbers are never right") {
  Predictions p;
  p.images = 2;
  p.classes = 2;
  p.logits.assign(4, std::nanf(""));
  const std::vector<int> labels{0, 1};
  CHECK(top_k_accuracy(p, labels, 1) == 0);
  CHECK(top_k_accuracy(p, labels, 2) == 0);
  CHECK(class_accuracy(p, labels) == std::vector<double>{0, 0});
}
