#include "moecnn/data/resample.hpp"

#include <doctest/doctest.h>

#include "pictures.hpp"

using namespace moecnn;
using data::AxisPiece;
using data::Taps;

namespace {

/// A row of bytes, resized.
std::vector<float> resized(const std::vector<std::uint8_t>& in, AxisPiece axis) {
  Taps rows, columns;
  make_taps(rows, {1, 1, 0, 1});
  make_taps(columns, axis);
  std::vector<float> out(axis.count), line;
  data::resample(in.data(), axis.in, rows, columns, 1, out.data(), line);
  return out;
}

void check_near(const std::vector<float>& got, const std::vector<double>& wanted) {
  REQUIRE(got.size() == wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) CHECK(got[i] == doctest::Approx(wanted[i]).epsilon(1e-5));
}

/// Weight of input x for position i by the definition.
double weight(int x, int i, double step) {
  const double reach = std::max(1.0, step);
  return std::max(0.0, 1 - std::abs(x + 0.5 - (i + 0.5) * step) / reach);
}

}  // namespace

TEST_CASE("enlarging mixes two neighbours, shrinking all that are covered") {
  check_near(resized({0, 100}, {2, 4, 0, 4}), {0, 25, 75, 100});
  check_near(resized({10, 20, 30}, {3, 3, 0, 3}), {10, 20, 30});
  check_near(resized({70, 140, 35, 0}, {4, 2, 0, 2}), {(3 * 70 + 3 * 140 + 35) / 7.0, (140 + 3 * 35) / 7.0});
  check_near(resized({10, 20, 60}, {3, 1, 0, 1}), {(10 * (2 / 3.0) + 20 + 60 * (2 / 3.0)) / (7 / 3.0)});
  check_near(resized({9}, {1, 3, 0, 3}), {9, 9, 9});
}

TEST_CASE("without a change of size nothing is mixed") {
  Taps taps;
  make_taps(taps, {9, 9, 2, 5});
  CHECK(taps.taps == 1);
  CHECK(taps.low == 2);
  CHECK(taps.high == 7);
  CHECK(taps.first == std::vector{2, 3, 4, 5, 6});
  CHECK(taps.weight == std::vector<float>(5, 1));
}

TEST_CASE("at every scale the weights of a position sum to 1") {
  Taps taps;
  for (int in : {45, 360, 480})
    for (int out = 1; out <= 2 * in; ++out) {
      make_taps(taps, {in, out, 0, out});
      REQUIRE(taps.low == 0);
      REQUIRE(taps.high == in);
      double most = 0;
      for (int i = 0; i < out; ++i) {
        double sum = 0;
        for (int t = 0; t < taps.taps; ++t) sum += taps.at(t)[i];
        most = std::max(most, std::abs(sum - 1));
        REQUIRE(taps.first[i] >= 0);
        REQUIRE(taps.first[i] + taps.taps <= in);
      }
      REQUIRE(most < 1e-5);
    }
}

TEST_CASE("pieces are parts of the whole, mirrored or not") {
  const auto in = pictures::pattern(23);
  for (int out : {5, 11, 23, 31, 60}) {
    const auto whole = resized(in, {23, out, 0, out});
    for (int begin = 0; begin < out; begin += 3)
      for (int count = 1; begin + count <= out; count += 4) {
        const auto part = resized(in, {23, out, begin, count}), mirrored = resized(in, {23, out, begin, count, true});
        for (int i = 0; i < count; ++i) {
          REQUIRE(part[i] == doctest::Approx(whole[begin + i]).epsilon(1e-6));
          REQUIRE(mirrored[i] == part[count - 1 - i]);
        }
      }
  }
}

TEST_CASE("two axes, by the definition") {
  const int h = 13, w = 17;
  const auto in = pictures::pattern(h * w);
  for (auto [sh, sw] : {std::pair{20, 9}, {6, 40}, {13, 17}, {3, 4}, {1, 1}}) {
    Taps rows, columns;
    make_taps(rows, {h, sh, 0, sh});
    make_taps(columns, {w, sw, 0, sw});
    std::vector<float> out(sh * sw), line;
    data::resample(in.data(), w, rows, columns, 1 / 255.0f, out.data(), line);
    for (int y = 0; y < sh; ++y)
      for (int x = 0; x < sw; ++x) {
        double sum = 0, total = 0;
        for (int i = 0; i < h; ++i)
          for (int j = 0; j < w; ++j) {
            const double k = weight(i, y, double(h) / sh) * weight(j, x, double(w) / sw);
            sum += k * in[i * w + j], total += k;
          }
        REQUIRE(out[y * sw + x] == doctest::Approx(sum / total / 255).epsilon(1e-4));
      }
  }
}

TEST_CASE("no input beyond the used ones is read") {
  for (int in : {1, 2, 3, 10})
    for (int out : {1, 2, 3, 7, 10, 25})
      for (int begin = 0; begin < out; ++begin) {
        Taps taps;
        make_taps(taps, {in, out, begin, out - begin});
        for (int first : taps.first) {
          CHECK(first >= taps.low);
          CHECK(first + taps.taps <= taps.high);
        }
        CHECK(taps.high <= in);
      }
}

TEST_CASE("labels take the nearest pixel") {
  std::vector<int> n;
  data::make_nearest(n, {3, 6, 0, 6});
  CHECK(n == std::vector{0, 0, 1, 1, 2, 2});
  data::make_nearest(n, {6, 3, 0, 3});
  CHECK(n == std::vector{1, 3, 5});
  data::make_nearest(n, {5, 5, 1, 3, true});
  CHECK(n == std::vector{3, 2, 1});
  data::make_nearest(n, {1 << 20, 1 << 20, (1 << 20) - 1, 1});
  CHECK(n == std::vector{(1 << 20) - 1});
}
