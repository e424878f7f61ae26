#include "moecnn/analysis/tsne.hpp"

#include <doctest/doctest.h>

#include "io/scratch.hpp"
#include "moecnn/analysis/experts.hpp"
#include "moecnn/io/json.hpp"

#ifdef _OPENMP
#include <omp.h>
#endif

using namespace moecnn;
using namespace moecnn::analysis;

namespace {

io::Json golden() { return io::Json::parse(bytes_of("tests/golden/analysis.json"), "analysis.json"); }

/// The points of tests/golden/golden_analysis.py.
Matrix golden_points(int rows = 1000) {
  const Rng centres(0, Purpose::other, hash_name("tsne_centres")), spread(0, Purpose::other, hash_name("tsne_points"));
  Matrix m(rows, 6);
  for (int i = 0; i < rows; ++i)
    for (int c = 0; c < 6; ++c) {
      const auto at = static_cast<std::uint64_t>(6 * i + c);
      double s = -2;
      for (std::uint32_t lane = 0; lane < 4; ++lane) s += spread.uniform(at, lane);
      m(i, c) = 4 * centres.uniform(static_cast<std::uint64_t>(c + 6 * (i % 10))) + s;
    }
  return m;
}

std::vector<Point> some_points(int n, double scale = 3) {
  const Rng rng(7, Purpose::other);
  std::vector<Point> y;
  for (int i = 0; i < n; ++i)
    y.push_back(
        {scale * rng.normal(static_cast<std::uint64_t>(i)), scale * rng.normal(static_cast<std::uint64_t>(i), 1)});
  return y;
}

/// The divergence by its formula, over all pairs.
double divergence_of(const analysis::detail::Affinities& a, const std::vector<Point>& y) {
  const auto q = [&](std::size_t i, std::size_t j) {
    return 1 / (1 + std::pow(y[i].x - y[j].x, 2) + std::pow(y[i].y - y[j].y, 2));
  };
  double z = 0, sum = 0;
  for (std::size_t i = 0; i < y.size(); ++i)
    for (std::size_t j = 0; j < y.size(); ++j) z += i == j ? 0 : q(i, j);
  for (std::size_t i = 0; i < y.size(); ++i)
    for (std::size_t m = a.begin[i]; m < a.begin[i + 1]; ++m)
      sum += a.p[m] * std::log(a.p[m] * z / q(i, static_cast<std::size_t>(a.neighbour[m])));
  return sum;
}

}  // namespace

TEST_CASE("a quadtree's cells hold every point once, near ones by themselves") {
  auto y = some_points(300);
  for (int i = 0; i < 5; ++i) y.push_back(y[0]);  // equal points cannot be told apart
  QuadTree tree;
  tree.build(y);
  for (const double theta : {0.0, 0.5, 2.0}) {
    int visits = 0, points = 0;
    Point sum;
    tree.visit(y[3], theta, [&](const Point& mean, int count) {
      ++visits, points += count;
      sum.x += count * mean.x, sum.y += count * mean.y;
    });
    CHECK(points == 305);
    CHECK((theta == 0) == (visits == 300));
    Point all;
    for (const Point& p : y) all.x += p.x, all.y += p.y;
    CHECK(sum.x == doctest::Approx(all.x).epsilon(1e-9));
    CHECK(sum.y == doctest::Approx(all.y).epsilon(1e-9));
  }
  tree.build({});
  tree.visit({}, 0, [](const Point&, int) { CHECK(false); });
  const std::vector<Point> same(10, Point{1, 2});
  tree.build(same);
  tree.visit({0, 0}, 0, [](const Point& mean, int count) {
    CHECK(mean.x == 1);
    CHECK(count == 10);
  });
}

TEST_CASE("affinities: a symmetric distribution in which each row has the perplexity that was asked for") {
  const Matrix rows = golden_points(80);
  const auto a = analysis::detail::affinities(rows, 10);
  double sum = 0;
  for (std::size_t i = 0; i + 1 < a.begin.size(); ++i)
    for (std::size_t m = a.begin[i]; m < a.begin[i + 1]; ++m) {
      sum += a.p[m];
      const auto j = static_cast<std::size_t>(a.neighbour[m]);
      CHECK(j != i);
      const auto from = a.neighbour.begin() + static_cast<std::ptrdiff_t>(a.begin[j]);
      const auto to = a.neighbour.begin() + static_cast<std::ptrdiff_t>(a.begin[j + 1]);
      const auto back = std::find(from, to, static_cast<int>(i));
      REQUIRE(back != to);
      CHECK(a.p[static_cast<std::size_t>(back - a.neighbour.begin())] == doctest::Approx(a.p[m]).epsilon(1e-12));
    }
  CHECK(sum == doctest::Approx(1).epsilon(1e-12));
  std::vector<double> d{0.5, 1, 4, 9, 16, 30}, p(6);
  analysis::detail::conditional(d, 3, p);
  double entropy = 0;
  for (const double v : p) entropy -= v * std::log(v);
  CHECK(std::exp(entropy) == doctest::Approx(3).epsilon(1e-8));
  // Where all are equally far no β gives another entropy.
  analysis::detail::conditional(std::vector<double>{2, 2, 2}, 2, std::span(p).first(3));
  CHECK(p[0] == doctest::Approx(1.0 / 3));
}

TEST_CASE("the exact gradient is that of the divergence; joined cells come near it") {
  const auto a = analysis::detail::affinities(golden_points(60), 8);
  auto y = some_points(60);
  std::vector<Point> exact(60), joined(60);
  analysis::detail::TsneGradient gradient;
  CHECK(gradient(a, y, 1, 0, exact) == doctest::Approx(divergence_of(a, y)).epsilon(1e-10));
  const double h = 1e-5;
  for (const std::size_t i : {0u, 7u, 59u})
    for (double Point::*axis : {&Point::x, &Point::y}) {
      const double at = y[i].*axis;
      y[i].*axis = at + h;
      const double up = divergence_of(a, y);
      y[i].*axis = at - h;
      const double down = divergence_of(a, y);
      y[i].*axis = at;
      CHECK(exact[i].*axis == doctest::Approx((up - down) / (2 * h)).epsilon(1e-6));
    }
  CHECK(gradient(a, y, 1, 0.5, joined) == doctest::Approx(divergence_of(a, y)).epsilon(0.01));
  double off = 0, size = 0;
  for (std::size_t i = 0; i < 60; ++i) {
    off += std::pow(joined[i].x - exact[i].x, 2) + std::pow(joined[i].y - exact[i].y, 2);
    size += exact[i].x * exact[i].x + exact[i].y * exact[i].y;
  }
  CHECK(std::sqrt(off / size) < 0.05);
  CHECK(off > 0);
}

TEST_CASE("t-SNE comes within 5 % of scikit-learn's divergence, and keeps clusters apart") {
  const Matrix rows = golden_points();
  const io::Json g = golden();
  CHECK(rows(0, 3) == doctest::Approx(g["first_point"][std::size_t{3}].number()).epsilon(1e-14));
  int calls = 0;
  double last = 0;
  const TsneMap map = tsne(rows, {.progress = [&](int done, double now) {
                             CHECK(done == 50 * ++calls);
                             last = now;
                           }});
  CHECK(calls == 20);
  MESSAGE("divergence " << map.divergence << ", scikit-learn's " << g["barnes_hut"].number());
  CHECK(map.divergence == doctest::Approx(g["barnes_hut"].number()).epsilon(0.05));
  CHECK(last == doctest::Approx(map.divergence).epsilon(0.01));
  CHECK(tsne(rows, {.perplexity = 15, .iterations = 1500}).divergence ==
        doctest::Approx(g["study"].number()).epsilon(0.05));
  int alike = 0;  // nearest neighbours of the same centre
  for (std::size_t i = 0; i < 1000; ++i) {
    double least = 1e300;
    std::size_t nearest = i;
    for (std::size_t j = 0; j < 1000; ++j) {
      const double d = std::pow(map.points[i].x - map.points[j].x, 2) + std::pow(map.points[i].y - map.points[j].y, 2);
      if (j != i && d < least) least = d, nearest = j;
    }
    alike += nearest % 10 == i % 10;
  }
  CHECK(alike > 850);
}

TEST_CASE("t-SNE: the same map with any number of threads; equal rows; options that cannot be") {
  const Matrix rows = golden_points(120);
  const TsneOpts few{.perplexity = 10, .iterations = 60};
  const auto one = tsne(rows, few);
#ifdef _OPENMP
  const int threads = omp_get_max_threads();
  omp_set_num_threads(3);
  const auto three = tsne(rows, few);
  omp_set_num_threads(threads);
  for (std::size_t i = 0; i < 120; ++i) CHECK(one.points[i].x == three.points[i].x);
#endif
  // Sparse weights are equal for many rows, and may be equal for all.
  Matrix equal(50, 4);
  equal.fill(0.25);
  for (const Point& p : tsne(equal, few).points) CHECK(std::isfinite(p.x + p.y));
  Matrix bad = rows;
  bad(3, 1) = std::numeric_limits<double>::quiet_NaN();
  CHECK(has(error_of([&] { tsne(bad); }), "a value is nan"));
  CHECK(
      has(error_of([&] { tsne(rows, {.perplexity = 120}); }), "the perplexity is 120, expected 1 up to less than 120"));
  CHECK(has(error_of([&] { tsne(Matrix(2, 4)); }), "three rows"));
  CHECK(has(error_of([&] { tsne(rows, {.iterations = 0}); }), "0 iterations"));
}

TEST_CASE("correlations equal SciPy's, with ties") {
  const Rng rng(0, Purpose::other, hash_name("correlation"));
  Matrix a(100, 2), b(100, 2);
  for (int i = 0; i < 200; ++i) {
    const double u = rng.uniform(static_cast<std::uint64_t>(i)), v = rng.uniform(static_cast<std::uint64_t>(200 + i));
    a(i / 2, i % 2) = std::floor(8 * u), b(i / 2, i % 2) = u + v;
  }
  const io::Json g = golden();
  CHECK(std::abs(correlation(a, b).pearson - g["pearson"].number()) < 1e-12);
  CHECK(std::abs(correlation(a, b).spearman - g["spearman"].number()) < 1e-12);
  const auto columns = column_correlations(a, b);
  for (std::size_t c = 0; c < 2; ++c) CHECK(std::abs(columns[c].spearman - g["spearman_columns"][c].number()) < 1e-12);
}
