#pragma once
/// \file
/// How evenly experts are used over a set, and whether each is better at the classes that it is given: the measures of
/// "Sparsely-gated Mixture-of-Expert Layers for CNN Interpretability", tables I, III and IV.

#include "moecnn/analysis/specialisation.hpp"
#include "moecnn/moe/stats.hpp"

#include <cmath>

namespace moecnn::analysis {

/// An expert with less than this share of the weight is dead.
inline constexpr double living_share = 0.01;

/// Use of the N experts of a mixture over a set of images.
struct Utilisation {
  std::vector<double> counts;      ///< N: images that each expert serves
  std::vector<double> importance;  ///< N: mean weight over all images; the sum is 1
  double cv_counts = 0;            ///< standard deviation over the experts (population) / mean
  double cv_importance = 0;
  int living = 0;  ///< experts with a mean weight of more than `living_share`, rounded to four decimals
};

/// Of the sparse weights of a set, images × N.
inline Utilisation utilisation(const Matrix& weights) {
  Utilisation u;
  u.counts.resize(static_cast<std::size_t>(weights.cols()));
  u.importance.resize(u.counts.size());
  for (int i = 0; i < weights.rows(); ++i)
    for (int e = 0; e < weights.cols(); ++e) {
      const auto at = static_cast<std::size_t>(e);
      u.counts[at] += weights(i, e) > 0;
      u.importance[at] += weights(i, e) / weights.rows();
    }
  u.cv_counts = coefficient_of_variation(u.counts), u.cv_importance = coefficient_of_variation(u.importance);
  for (const double share : u.importance) u.living += std::round(1e4 * share) / 1e4 > living_share;
  return u;
}

/// groups × N: images of each group (class or family) that each expert serves.
inline Matrix activations(const Matrix& weights, std::span<const int> group, int groups) {
  detail::check_groups(weights, group);
  Matrix counts(groups, weights.cols());
  counts.fill(0);
  for (int i = 0; i < weights.rows(); ++i)
    for (int e = 0; e < weights.cols(); ++e) counts(group[static_cast<std::size_t>(i)], e) += weights(i, e) > 0;
  return counts;
}

/// Accuracy of a network in which one expert alone serves every image, with weight 1.
struct SingleExperts {
  std::vector<double> accuracy;  ///< N: top-1 over all images
  Matrix class_accuracy;         ///< classes × N: top-1 over the images of a class; NaN for classes without images
};

/// The choices for predict_each() in which each of N experts alone serves every image.
inline std::vector<ExpertsOf> each_alone(int experts) {
  std::vector<ExpertsOf> all;
  for (int e = 0; e < experts; ++e) all.push_back({.fixed_expert = e});
  return all;
}

/// Of the predictions with each expert alone, in their order, such as `predict_each(model, images, each_alone(N))`.
inline SingleExperts single_experts(std::span<const Predictions> alone, std::span<const int> labels) {
  SingleExperts s;
  const auto experts = static_cast<int>(alone.size());
  for (int e = 0; e < experts; ++e) {
    const Predictions& p = alone[static_cast<std::size_t>(e)];
    const auto of_class = class_accuracy(p, labels);
    if (e == 0) s.class_accuracy.resize(p.classes, experts);
    for (int c = 0; c < p.classes; ++c) s.class_accuracy(c, e) = of_class[static_cast<std::size_t>(c)];
    s.accuracy.push_back(top_k_accuracy(p, labels, 1));
  }
  return s;
}

/// Classes in which the whole mixture, with `accuracy` per class, is at least as good as its best expert alone.
inline int classes_at_least_best(std::span<const double> accuracy, const Matrix& of_experts) {
  int count = 0;
  for (int c = 0; c < of_experts.rows(); ++c) {
    const auto row = of_experts.row(c);
    count += accuracy[static_cast<std::size_t>(c)] >= *std::max_element(row.begin(), row.end());
  }
  return count;
}

struct Correlation {
  double pearson = 0, spearman = 0;  ///< NaN where one of the two does not vary
};

/// Between two matrices of one size, element by element; pairs of which one is NaN are left out.
inline Correlation correlation(const Matrix& a, const Matrix& b) {
  check(a.rows() == b.rows() && a.cols() == b.cols(), "matrices of {} × {} and {} × {} cannot be correlated", a.rows(),
        a.cols(), b.rows(), b.cols());
  std::vector<double> x, y;
  for (std::size_t i = 0; i < a.flat().size(); ++i)
    if (!std::isnan(a.flat()[i]) && !std::isnan(b.flat()[i])) x.push_back(a.flat()[i]), y.push_back(b.flat()[i]);
  return {pearson(x, y), spearman(x, y)};
}

/// The same for each column, which is an expert.
inline std::vector<Correlation> column_correlations(const Matrix& a, const Matrix& b) {
  std::vector<Correlation> list;
  for (int e = 0; e < a.cols(); ++e) {
    Matrix x(a.rows(), 1), y(a.rows(), 1);
    for (int r = 0; r < a.rows(); ++r) x(r, 0) = a(r, e), y(r, 0) = b(r, e);
    list.push_back(correlation(x, y));
  }
  return list;
}

}  // namespace moecnn::analysis
