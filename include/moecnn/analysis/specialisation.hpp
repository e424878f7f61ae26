#pragma once
/// \file
/// Specialisation of experts: mean weight per class, the classes an expert is fond of, and which experts work together.

#include "moecnn/analysis/predictions.hpp"

#include <cmath>
#include <numeric>

namespace moecnn::analysis {

namespace detail {

/// Throws Error unless each row of the weights has its group.
inline void check_groups(const Matrix& weights, std::span<const int> group) {
  check(std::ssize(group) == weights.rows(), "there are {} rows of weights, but the group of {} is given",
        weights.rows(), group.size());
}

}  // namespace detail

/// groups × N: mean weight over the images of each group (class or family). Rows of empty groups are 0.
inline Matrix mean_weights(const Matrix& weights, std::span<const int> group, int groups) {
  detail::check_groups(weights, group);
  Matrix mean(groups, weights.cols());
  mean.fill(0);
  std::vector<int> count(groups);
  for (int i = 0; i < weights.rows(); ++i) {
    ++count[group[i]];
    for (int e = 0; e < weights.cols(); ++e) mean(group[i], e) += weights(i, e);
  }
  for (int g = 0; g < groups; ++g)
    for (int e = 0; e < weights.cols() && count[g] > 0; ++e) mean(g, e) /= count[g];
  return mean;
}

/// The `count` groups with the largest mean weight on expert `e`, heaviest first.
inline std::vector<int> top_groups(const Matrix& mean, int e, int count) {
  std::vector<int> order(mean.rows());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return mean(a, e) > mean(b, e); });
  order.resize(std::min<std::size_t>(order.size(), count));
  return order;
}

/// Images that give weight to `e`, the heaviest first, among those of one group.
inline std::vector<int> top_images(const Matrix& weights, std::span<const int> group, int which, int e, int count) {
  detail::check_groups(weights, group);
  std::vector<int> order;
  for (int i = 0; i < weights.rows(); ++i)
    if (group[i] == which && weights(i, e) > 0) order.push_back(i);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return weights(a, e) > weights(b, e); });
  order.resize(std::min<std::size_t>(order.size(), count));
  return order;
}

/// N × N: images that both experts served; the diagonal holds each expert's own number.
inline Matrix pair_counts(const Matrix& weights) {
  Matrix pairs(weights.cols(), weights.cols());
  pairs.fill(0);
  for (int i = 0; i < weights.rows(); ++i)
    for (int a = 0; a < weights.cols(); ++a)
      for (int b = 0; b < weights.cols() && weights(i, a) > 0; ++b) pairs(a, b) += weights(i, b) > 0;
  return pairs;
}

/// Pearson's correlation of two series; NaN where one of them does not vary.
inline double pearson(std::span<const double> a, std::span<const double> b) {
  const auto n = static_cast<double>(a.size());
  const double ma = std::accumulate(a.begin(), a.end(), 0.0) / n, mb = std::accumulate(b.begin(), b.end(), 0.0) / n;
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - ma) * (b[i] - mb);
    aa += (a[i] - ma) * (a[i] - ma);
    bb += (b[i] - mb) * (b[i] - mb);
  }
  return ab / std::sqrt(aa * bb);
}

/// Ranks from 1; equal values share the mean of their ranks.
inline std::vector<double> ranks(std::span<const double> x) {
  std::vector<int> order(x.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int a, int b) { return x[a] < x[b]; });
  std::vector<double> rank(x.size());
  for (std::size_t i = 0; i < order.size();) {
    std::size_t j = i;
    while (j < order.size() && x[order[j]] == x[order[i]]) ++j;
    for (std::size_t m = i; m < j; ++m) rank[order[m]] = (static_cast<double>(i + j) + 1) / 2;
    i = j;
  }
  return rank;
}

/// Spearman's rank correlation.
inline double spearman(std::span<const double> a, std::span<const double> b) { return pearson(ranks(a), ranks(b)); }

}  // namespace moecnn::analysis
