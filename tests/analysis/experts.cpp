#include "moecnn/analysis/experts.hpp"

#include <doctest/doctest.h>

#include "io/scratch.hpp"

using namespace moecnn;
using namespace moecnn::analysis;

namespace {

Matrix matrix(const std::vector<std::vector<double>>& rows) {
  Matrix m(static_cast<int>(rows.size()), static_cast<int>(rows[0].size()));
  for (int r = 0; r < m.rows(); ++r)
    for (int c = 0; c < m.cols(); ++c) m(r, c) = rows[static_cast<std::size_t>(r)][static_cast<std::size_t>(c)];
  return m;
}

/// Predictions of the highest class of each row.
Predictions guesses(const std::vector<int>& classes, int count) {
  Predictions p;
  p.images = static_cast<int>(classes.size()), p.classes = count;
  for (const int c : classes)
    for (int j = 0; j < count; ++j) p.logits.push_back(j == c ? 1.0f : 0.0f);
  return p;
}

constexpr double none = std::numeric_limits<double>::quiet_NaN();

}  // namespace

TEST_CASE("utilisation: counts, importance, their variation, and experts that live") {
  const Utilisation u = utilisation(matrix({{0.75, 0.25, 0, 0}, {1, 0, 0, 0}, {0.5, 0, 0.5, 0}, {0.75, 0.25, 0, 0}}));
  CHECK(u.counts == std::vector<double>{4, 2, 1, 0});
  CHECK(u.importance == std::vector<double>{0.75, 0.125, 0.125, 0});
  // Mean 1.75, squares of differences 5.0625, 0.0625, 0.5625, 3.0625: deviation √(8.75 / 4).
  CHECK(u.cv_counts == doctest::Approx(std::sqrt(8.75 / 4) / 1.75).epsilon(1e-12));
  CHECK(u.cv_importance == doctest::Approx(std::sqrt((0.25 + 2 * 0.015625 + 0.0625) / 4) / 0.25).epsilon(1e-12));
  CHECK(u.living == 3);
  // 0.01004 is rounded to 0.01, which is not more than the limit; 0.0101 is.
  CHECK(utilisation(matrix({{0.98996, 0.01004}})).living == 1);
  CHECK(utilisation(matrix({{0.9899, 0.0101}})).living == 2);
}

TEST_CASE("activations count the images of each class that an expert serves") {
  const std::vector<int> labels{1, 0, 1, 1};
  const Matrix a = activations(matrix({{0.6, 0.4}, {0, 1}, {1, 0}, {0.5, 0.5}}), labels, 3);
  CHECK(a(0, 0) == 0);
  CHECK(a(0, 1) == 1);
  CHECK(a(1, 0) == 3);
  CHECK(a(1, 1) == 2);
  CHECK(a(2, 0) + a(2, 1) == 0);
}

TEST_CASE("single experts: accuracy in all and per class, and where the whole is as good as the best of them") {
  const std::vector<int> labels{0, 0, 1, 1};
  const std::vector<Predictions> alone{guesses({0, 0, 2, 0}, 3), guesses({1, 0, 1, 1}, 3)};
  const SingleExperts s = single_experts(alone, labels);
  CHECK(s.accuracy == std::vector<double>{0.5, 0.75});
  CHECK(s.class_accuracy(0, 0) == 1);
  CHECK(s.class_accuracy(0, 1) == 0.5);
  CHECK(s.class_accuracy(1, 0) == 0);
  CHECK(s.class_accuracy(1, 1) == 1);
  CHECK(std::isnan(s.class_accuracy(2, 0)));
  CHECK(classes_at_least_best(std::vector<double>{1, 0.5, none}, s.class_accuracy) == 1);
  CHECK(classes_at_least_best(std::vector<double>{0.9, 1, none}, s.class_accuracy) == 1);
  CHECK(classes_at_least_best(std::vector<double>{1, 1, none}, s.class_accuracy) == 2);
}

TEST_CASE("correlations: pooled and per expert, without classes that have no images") {
  const Matrix a = matrix({{1, 4}, {2, 3}, {3, 2}, {none, 0}}), b = matrix({{2, 8}, {4, 6}, {9, 4}, {1, 1}});
  const Correlation all = correlation(a, b);
  // SciPy's pearsonr and spearmanr of [1, 2, 3, 4, 3, 2, 0] and [2, 4, 9, 8, 6, 4, 1].
  CHECK(all.pearson == doctest::Approx(0.9243235964493488).epsilon(1e-12));
  CHECK(all.spearman == doctest::Approx(0.9358192003574066).epsilon(1e-12));
  const auto columns = column_correlations(a, b);
  REQUIRE(columns.size() == 2);
  CHECK(columns[0].spearman == doctest::Approx(1));
  CHECK(columns[1].pearson == doctest::Approx(0.9967905774402656).epsilon(1e-12));
  CHECK(std::isnan(correlation(matrix({{1, 1}}), matrix({{1, 2}})).pearson));
  CHECK(has(error_of([] { correlation(Matrix(2, 2), Matrix(2, 3)); }), "2 × 2 and 2 × 3"));
}
