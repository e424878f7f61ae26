#pragma once
/// \file
/// t-SNE: a map of the plane in which rows that are near each other stay near (van der Maaten and Hinton, 2008), with the
/// sums of van der Maaten (2014). Steps, rates and the beginning are those of scikit-learn.

#include "moecnn/analysis/quad_tree.hpp"
#include "moecnn/core/error.hpp"
#include "moecnn/core/matrix.hpp"
#include "moecnn/core/rng.hpp"

#include <functional>
#include <limits>

namespace moecnn::analysis {

struct TsneOpts {
  double perplexity = 30;  ///< about the number of neighbours that count for a row; less than the number of rows
  double rate = 0;         ///< 0: rows / (4 · exaggeration), at least 50
  int iterations = 1000;
  double exaggeration = 12;  ///< factor of the attraction …
  int exaggerated = 250;     ///< … in the first iterations
  double theta = 0.5;        ///< how coarsely distant points are joined; 0: exact sums
  std::uint64_t seed = 0;    ///< of the disturbance that tells equal rows apart
  /// Called every 50 iterations and after the last one, with the number done and the present divergence.
  std::function<void(int done, double divergence)> progress = {};
};

struct TsneMap {
  std::vector<Point> points;  ///< one per row, around the origin
  double divergence = 0;      ///< Kullback-Leibler divergence Σ p ln(p / q) in nats: smaller is better
};

namespace detail {

/// p_ij of pairs of rows, symmetric and with sum 1; zero where neither is a neighbour of the other.
struct Affinities {
  std::vector<std::size_t> begin;  ///< rows + 1: places of a row's neighbours in the other two
  std::vector<int> neighbour;
  std::vector<double> p;
};

/// p_j|i ∝ exp(-β d_j), with β such that the entropy is ln(perplexity), for squared distances `d`. Rows whose neighbours
/// are all equally far have equal weights.
inline void conditional(std::span<const double> d, double perplexity, std::span<double> p) {
  const double nearest = *std::min_element(d.begin(), d.end()), wanted = std::log(perplexity);
  double beta = 1, low = 0, high = std::numeric_limits<double>::infinity();
  for (int t = 0; t < 100; ++t) {
    double sum = 0, weighted = 0;
    for (std::size_t j = 0; j < d.size(); ++j) {
      p[j] = std::exp(-beta * (d[j] - nearest));
      sum += p[j], weighted += p[j] * (d[j] - nearest);
    }
    const double entropy = std::log(sum) + beta * weighted / sum;
    for (double& v : p) v /= sum;
    if (std::abs(entropy - wanted) < 1e-10 || !std::isfinite(beta)) break;
    if (entropy > wanted)
      low = beta, beta = std::isinf(high) ? 2 * beta : (beta + high) / 2;
    else
      high = beta, beta = (beta + low) / 2;
  }
}

/// Affinities of the `3 · perplexity` nearest neighbours of each row.
inline Affinities affinities(const Matrix& rows, double perplexity) {
  const int n = rows.rows();
  const int count = std::min(n - 1, static_cast<int>(3 * perplexity));
  const auto k = static_cast<std::size_t>(count);
  std::vector<int> near(static_cast<std::size_t>(n) * k);
  std::vector<double> p(near.size());
#pragma omp parallel
  {
    std::vector<std::pair<double, int>> all(static_cast<std::size_t>(n - 1));
    std::vector<double> d(k);
#pragma omp for schedule(static)
    for (int i = 0; i < n; ++i) {
      for (int j = 0, at = 0; j < n; ++j) {
        if (j == i) continue;
        double sum = 0;
        for (int c = 0; c < rows.cols(); ++c) sum += (rows(i, c) - rows(j, c)) * (rows(i, c) - rows(j, c));
        all[static_cast<std::size_t>(at++)] = {sum, j};
      }
      std::nth_element(all.begin(), all.begin() + (count - 1), all.end());
      for (std::size_t m = 0; m < k; ++m)
        d[m] = all[m].first, near[static_cast<std::size_t>(i) * k + m] = all[m].second;
      conditional(d, perplexity, {p.data() + static_cast<std::size_t>(i) * k, k});
    }
  }
  // p_ij = (p_j|i + p_i|j) / 2n: each pair is entered at both rows, and entries of one pair are added up.
  std::vector<std::vector<std::pair<int, double>>> of(static_cast<std::size_t>(n));
  for (int i = 0; i < n; ++i)
    for (std::size_t m = 0; m < k; ++m) {
      const auto at = static_cast<std::size_t>(i) * k + m;
      of[static_cast<std::size_t>(i)].emplace_back(near[at], p[at]);
      of[static_cast<std::size_t>(near[at])].emplace_back(i, p[at]);
    }
  Affinities a;
  a.begin.push_back(0);
  for (auto& list : of) {
    std::sort(list.begin(), list.end());
    for (std::size_t m = 0; m < list.size(); ++m) {
      if (a.neighbour.size() > a.begin.back() && a.neighbour.back() == list[m].first)
        a.p.back() += list[m].second / (2.0 * n);
      else
        a.neighbour.push_back(list[m].first), a.p.push_back(list[m].second / (2.0 * n));
    }
    a.begin.push_back(a.neighbour.size());
  }
  return a;
}

/// Gradient 4 Σ_j (e · p_ij - q_ij) (y_i - y_j) / (1 + |y_i - y_j|²) of the divergence, with e `exaggeration`. Returns the
/// divergence, of p without exaggeration.
class TsneGradient {
 public:
  double operator()(const Affinities& a, std::span<const Point> y, double exaggeration, double theta,
                    std::span<Point> gradient) {
    const auto n = static_cast<int>(y.size());
    tree_.build(y);
    sums_.resize(y.size()), terms_.resize(y.size()), away_.resize(y.size());
#pragma omp parallel for schedule(static)
    for (int i = 0; i < n; ++i) {
      const auto at = static_cast<std::size_t>(i);
      double sum = -1;  // the row itself
      Point away;
      tree_.visit(y[at], theta, [&](const Point& mean, int count) {
        const double dx = y[at].x - mean.x, dy = y[at].y - mean.y, q = 1 / (1 + dx * dx + dy * dy);
        sum += count * q;
        away.x += count * q * q * dx, away.y += count * q * q * dy;
      });
      sums_[at] = sum, away_[at] = away;
      Point toward;
      double term = 0;
      for (std::size_t m = a.begin[at]; m < a.begin[at + 1]; ++m) {
        const Point& other = y[static_cast<std::size_t>(a.neighbour[m])];
        const double dx = y[at].x - other.x, dy = y[at].y - other.y, q = 1 / (1 + dx * dx + dy * dy);
        toward.x += a.p[m] * q * dx, toward.y += a.p[m] * q * dy;
        if (a.p[m] > 0) term += a.p[m] * std::log(a.p[m] / q);
      }
      gradient[at] = {4 * exaggeration * toward.x, 4 * exaggeration * toward.y};
      terms_[at] = term;
    }
    // In one order, so that the number of threads changes nothing.
    double z = 0, divergence = 0;
    for (std::size_t i = 0; i < y.size(); ++i) z += sums_[i], divergence += terms_[i];
    z = std::max(z, std::numeric_limits<double>::min());
    for (std::size_t i = 0; i < y.size(); ++i) gradient[i].x -= 4 * away_[i].x / z, gradient[i].y -= 4 * away_[i].y / z;
    return divergence + std::log(z);  // Σ p = 1
  }

 private:
  QuadTree tree_;
  std::vector<double> sums_, terms_;
  std::vector<Point> away_;
};

/// The two directions in which the rows vary most, scaled to a deviation of 1e-4 in the first, with a disturbance a
/// hundredth of that. Directions by power iteration.
inline std::vector<Point> beginning(const Matrix& rows, std::uint64_t seed) {
  const int n = rows.rows(), width = rows.cols();
  std::vector<double> mean(static_cast<std::size_t>(width));
  for (int i = 0; i < n; ++i)
    for (int c = 0; c < width; ++c) mean[static_cast<std::size_t>(c)] += rows(i, c) / n;
  Matrix covariance(width, width);
  covariance.fill(0);
  for (int i = 0; i < n; ++i)
    for (int a = 0; a < width; ++a)
      for (int b = 0; b < width; ++b)
        covariance(a, b) +=
            (rows(i, a) - mean[static_cast<std::size_t>(a)]) * (rows(i, b) - mean[static_cast<std::size_t>(b)]) / n;
  const Rng rng(seed, Purpose::other);
  std::array<std::vector<double>, 2> direction;
  for (std::uint32_t axis = 0; axis < 2; ++axis) {
    std::vector<double>& v = direction[axis];
    for (int c = 0; c < width; ++c) v.push_back(rng.normal(static_cast<std::uint64_t>(c), axis));
    double size = 0;
    for (int t = 0; t < 200; ++t) {
      std::vector<double> next(v.size());
      for (int a = 0; a < width; ++a)
        for (int b = 0; b < width; ++b)
          next[static_cast<std::size_t>(a)] += covariance(a, b) * v[static_cast<std::size_t>(b)];
      if (axis == 1) {
        double along = 0;
        for (std::size_t c = 0; c < v.size(); ++c) along += next[c] * direction[0][c];
        for (std::size_t c = 0; c < v.size(); ++c) next[c] -= along * direction[0][c];
      }
      size = 0;
      for (const double x : next) size += x * x;
      size = std::sqrt(size);
      for (double& x : next) x = size > 0 ? x / size : 0;
      v = std::move(next);
    }
  }
  std::vector<Point> y(static_cast<std::size_t>(n));
  double square = 0;
  for (int i = 0; i < n; ++i) {
    Point& p = y[static_cast<std::size_t>(i)];
    for (int c = 0; c < width; ++c) {
      const auto at = static_cast<std::size_t>(c);
      p.x += (rows(i, c) - mean[at]) * direction[0][at], p.y += (rows(i, c) - mean[at]) * direction[1][at];
    }
    square += p.x * p.x / n;
  }
  const double scale = square > 0 ? 1e-4 / std::sqrt(square) : 0;
  for (std::size_t i = 0; i < y.size(); ++i)
    y[i] = {scale * y[i].x + 1e-6 * rng.normal(i, 2), scale * y[i].y + 1e-6 * rng.normal(i, 3)};
  return y;
}

}  // namespace detail

/// A map of `rows`, such as gate logits, one point per row. Deterministic: the same rows and options give the same map,
/// with any number of threads. 9,000 rows of 4 to 10 columns take less than a minute on two cores. Throws Error on values
/// that are not finite and on a perplexity that the number of rows does not allow.
inline TsneMap tsne(const Matrix& rows, const TsneOpts& opts = {}) {
  const int n = rows.rows();
  check(n >= 3 && rows.cols() >= 1, "t-SNE of {} × {} values was asked for; expected three rows or more", n,
        rows.cols());
  for (const double v : rows.flat()) check(std::isfinite(v), "t-SNE: a value is {}, expected finite numbers", v);
  check(opts.perplexity >= 1 && opts.perplexity < n,
        "t-SNE: the perplexity is {}, expected 1 up to less than {}, the number of rows", opts.perplexity, n);
  check(opts.iterations >= 1 && opts.theta >= 0 && opts.rate >= 0,
        "t-SNE: {} iterations, theta {} and rate {} were asked for; expected 1 or more, and 0 or more", opts.iterations,
        opts.theta, opts.rate);
  const detail::Affinities a = detail::affinities(rows, opts.perplexity);
  TsneMap map{detail::beginning(rows, opts.seed)};
  std::vector<Point>& y = map.points;
  std::vector<Point> gradient(y.size()), update(y.size()), gain(y.size(), {1, 1});
  detail::TsneGradient gradient_of;
  const double rate = opts.rate > 0 ? opts.rate : std::max(n / opts.exaggeration / 4, 50.0);
  const auto move = [&](double g, double& speed, double& growth, double momentum) {
    growth = std::max(0.01, speed * g < 0 ? growth + 0.2 : growth * 0.8);
    speed = momentum * speed - rate * growth * g;
    return speed;
  };
  for (int t = 0; t < opts.iterations; ++t) {
    const bool early = t < opts.exaggerated;
    map.divergence = gradient_of(a, y, early ? opts.exaggeration : 1, opts.theta, gradient);
    Point middle;
    for (std::size_t i = 0; i < y.size(); ++i) {
      y[i].x += move(gradient[i].x, update[i].x, gain[i].x, early ? 0.5 : 0.8);
      y[i].y += move(gradient[i].y, update[i].y, gain[i].y, early ? 0.5 : 0.8);
      middle.x += y[i].x / n, middle.y += y[i].y / n;
    }
    for (Point& p : y) p.x -= middle.x, p.y -= middle.y;
    if (opts.progress && ((t + 1) % 50 == 0 || t + 1 == opts.iterations)) opts.progress(t + 1, map.divergence);
  }
  map.divergence = gradient_of(a, y, 1, opts.theta, gradient);
  return map;
}

}  // namespace moecnn::analysis
