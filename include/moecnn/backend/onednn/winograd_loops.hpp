#pragma once
/// \file
/// The inner loops of Winograd's minimal filtering F(4, 3) (Lavin and Gray, 2016): four sums over three taps each from six
/// products instead of twelve, along one axis of a map or along both. Six pixels of the input and three taps of the kernel
/// become values at six points; values at a point are multiplied and summed over the channels, which is a matrix product
/// per point; and six sums become four pixels of the output.
///
/// The points are 0, ±5/8, ±3/2 and infinity, which lose fewer digits than 0, ±1, ±2 and infinity.

#include "moecnn/backend/onednn/conv_end.hpp"
#include "moecnn/core/extent.hpp"

#include <algorithm>
#include <type_traits>
#include <vector>

namespace moecnn::onednn::winograd {

inline constexpr int points = 6, tile = 4, taps = 3;

/// Points ±a and ±b, and their squares.
inline constexpr float a = 0.625f, b = 1.5f, aa = a * a, bb = b * b;

/// Each of these treats one axis; V is a vector of channels. "Slope": the transposed map, for gradients.
struct InputToPoints {
  static constexpr int from = points, to = points;
  template <class V>
  void operator()(const V (&x)[from], V (&v)[to]) const {
    const V even_a = x[4] - bb * x[2], odd_a = a * (x[3] - bb * x[1]);
    const V even_b = x[4] - aa * x[2], odd_b = b * (x[3] - aa * x[1]);
    v[0] = aa * bb * x[0] - (aa + bb) * x[2] + x[4];
    v[1] = even_a + odd_a, v[2] = even_a - odd_a;
    v[3] = even_b + odd_b, v[4] = even_b - odd_b;
    v[5] = aa * bb * x[1] - (aa + bb) * x[3] + x[5];
  }
};

struct PointsToOutput {
  static constexpr int from = points, to = tile;
  template <class V>
  void operator()(const V (&m)[from], V (&y)[to]) const {
    const V even_a = m[1] + m[2], odd_a = a * (m[1] - m[2]);
    const V even_b = m[3] + m[4], odd_b = b * (m[3] - m[4]);
    y[0] = m[0] + even_a + even_b;
    y[1] = odd_a + odd_b;
    y[2] = aa * even_a + bb * even_b;
    y[3] = aa * odd_a + bb * odd_b + m[5];
  }
};

struct OutputSlopeToPoints {
  static constexpr int from = tile, to = points;
  template <class V>
  void operator()(const V (&y)[from], V (&m)[to]) const {
    const V even_a = y[0] + aa * y[2], odd_a = a * (y[1] + aa * y[3]);
    const V even_b = y[0] + bb * y[2], odd_b = b * (y[1] + bb * y[3]);
    m[0] = y[0];
    m[1] = even_a + odd_a, m[2] = even_a - odd_a;
    m[3] = even_b + odd_b, m[4] = even_b - odd_b;
    m[5] = y[3];
  }
};

/// One over the product of differences to the other points, at 0, ±a and ±b.
inline constexpr float at_0 = 1 / (aa * bb), at_a = 1 / (2 * aa * (aa - bb)), at_b = 1 / (2 * bb * (bb - aa));

struct KernelToPoints {
  static constexpr int from = taps, to = points;
  template <class V>
  void operator()(const V (&k)[from], V (&u)[to]) const {
    const V even_a = at_a * (k[0] + aa * k[2]), odd_a = at_a * a * k[1];
    const V even_b = at_b * (k[0] + bb * k[2]), odd_b = at_b * b * k[1];
    u[0] = at_0 * k[0];
    u[1] = even_a + odd_a, u[2] = even_a - odd_a;
    u[3] = even_b + odd_b, u[4] = even_b - odd_b;
    u[5] = k[2];
  }
};

struct PointsToKernelSlope {
  static constexpr int from = points, to = taps;
  template <class V>
  void operator()(const V (&u)[from], V (&k)[to]) const {
    const V even_a = at_a * (u[1] + u[2]), odd_a = at_a * a * (u[1] - u[2]);
    const V even_b = at_b * (u[3] + u[4]), odd_b = at_b * b * (u[3] - u[4]);
    k[0] = at_0 * u[0] + even_a + even_b;
    k[1] = odd_a + odd_b;
    k[2] = aa * even_a + bb * even_b + u[5];
  }
};

/// Numbers along the second axis: it is filtered like the first (`Plane`), or there is one.
template <bool Plane>
constexpr int across(int n) {
  return Plane ? n : 1;
}

/// Keeps the compiler from reading a value from memory once per use, which would keep the ports for loads busier than
/// those for arithmetic.
template <int B>
Lanes<B> in_register(Lanes<B> v) {
#if defined(__AVX512F__)
  asm("" : "+v"(v));
#elif defined(__AVX__)
  if constexpr (B == 8) asm("" : "+x"(v));
#endif
  return v;
}

/// `Change` applied to the rows of a square of numbers, where there are rows, and to its columns: from(i, j) gives the
/// numbers and to(i, j, result) takes them. Only what lies between the two steps passes through memory.
template <int B, bool Plane, class Change, class From, class To>
void transform(const From& from, const To& to) {
  constexpr int columns = across<Plane>(Change::to);
  Lanes<B> middle[Change::from][columns];
  for (int i = 0; i < Change::from; ++i)
    if constexpr (Plane) {
      Lanes<B> x[Change::from];
#pragma GCC unroll 6
      for (int j = 0; j < Change::from; ++j) x[j] = in_register<B>(from(i, j));
      Change()(x, middle[i]);
    } else {
      middle[i][0] = from(i, 0);
    }
  for (int j = 0; j < columns; ++j) {
    Lanes<B> x[Change::from], y[Change::to];
#pragma GCC unroll 6
    for (int i = 0; i < Change::from; ++i) x[i] = in_register<B>(middle[i][j]);
    Change()(x, y);
#pragma GCC unroll 6
    for (int i = 0; i < Change::to; ++i) to(i, j, y[i]);
  }
}

/// One axis of a map in tiles. If it is filtered, a tile has six input pixels and four output pixels, each `dilation` after
/// the one before; if not, one and one.
struct Axis {
  bool filtered = false;
  int in = 0, out = 0, pad = 0, dilation = 1;
  std::vector<int> first;  ///< per tile: its first output pixel

  Axis() = default;
  Axis(bool filters, int from, int to, int padding, int apart)
      : filtered(filters), in(from), out(to), pad(padding), dilation(apart) {
    const int step = filtered ? tile * dilation : 1, phases = filtered ? std::min(dilation, out) : 1;
    for (int p = 0; p < phases; ++p)
      for (int o = p; o < out; o += step) first.push_back(o);
  }

  int tiles() const { return static_cast<int>(first.size()); }
  /// The axis of the convolution that gives the gradient of the input.
  Axis mirrored() const { return {filtered, out, in, filtered ? (taps - 1) * dilation - pad : 0, dilation}; }
};

/// Pixels of a tile along an axis: number i lies at from + i · step, and those in [begin, end) exist.
struct Span {
  int from, step, begin, end;

  Span(int first, int apart, int n, int size) : from(first), step(apart), begin(0), end(n) {
    while (begin < n && from + begin * step < 0) ++begin;
    while (end > begin && from + (end - 1) * step >= size) --end;
  }
  static Span input(const Axis& x, int t) {
    return x.filtered ? Span(x.first[t] - x.pad, x.dilation, points, x.in) : Span(x.first[t], 1, 1, x.in);
  }
  static Span output(const Axis& x, int t) {
    return x.filtered ? Span(x.first[t], x.dilation, tile, x.out) : Span(x.first[t], 1, 1, x.out);
  }
};

/// Where a tile of one block of channels lies in a map: spans along two axes, and pixels from one to the next along each.
struct Place {
  Span h, w;
  long long first, down, right;  ///< pixel (0, 0), and from there to (1, 0) and (0, 1)

  Place(const Span& rows, const Span& columns, int row_pitch, int column_pitch)
      : h(rows),
        w(columns),
        first(1LL * h.from * row_pitch + 1LL * w.from * column_pitch),
        down(1LL * h.step * row_pitch),
        right(1LL * w.step * column_pitch) {}

  long long offset(int i, int j) const { return first + i * down + j * right; }
  bool holds(int i, int j) const { return i >= h.begin && i < h.end && j >= w.begin && j < w.end; }
  /// All of `rows` × `columns` pixels exist.
  bool is_whole(int rows, int columns) const {
    return h.begin == 0 && h.end == rows && w.begin == 0 && w.end == columns;
  }
};

/// A tile of a map (Change::from pixels along each axis, zeros where there are none) to values at its points, `apart`
/// numbers from point to point.
template <int B, bool Plane, class Change>
void tile_to_points(const float* map, const Place& p, float* v, long long apart) {
  constexpr int rows = Change::from, columns = across<Plane>(Change::from);
  const auto pixel = [&](int i, int j) -> Lanes<B> { return lanes<B>(map + p.offset(i, j) * B).v; };
  const auto to = [&](int i, int j, const Lanes<B>& value) {
    lanes<B>(v + (i * across<Plane>(points) + j) * apart).v = value;
  };
  if (p.is_whole(rows, columns)) return transform<B, Plane, Change>(pixel, to);
  transform<B, Plane, Change>([&](int i, int j) -> Lanes<B> { return p.holds(i, j) ? pixel(i, j) : Lanes<B>{}; }, to);
}

/// Values at the points to a tile of the output.
template <int B, bool Plane>
void points_to_tile(const float* m, long long apart, const Place& p, const ConvEnd& end) {
  const Lanes<B> bias = end.bias ? lanes<B>(end.bias).v : Lanes<B>{};
  const auto from = [&](int i, int j) -> Lanes<B> { return lanes<B>(m + (i * across<Plane>(points) + j) * apart).v; };
  const auto pixel = [&](int i, int j, const Lanes<B>& value) {
    Lanes<B> sum = value + bias;
    end.store<B>(p.offset(i, j) * B, sum);
  };
  if (p.is_whole(tile, across<Plane>(tile))) return transform<B, Plane, PointsToOutput>(from, pixel);
  transform<B, Plane, PointsToOutput>(from, [&](int i, int j, const Lanes<B>& value) {
    if (p.holds(i, j)) pixel(i, j, value);
  });
}

/// B rows of B numbers, rows for columns.
template <int B>
void transpose(const float* from, float* to) {
  for (int i = 0; i < B; ++i)
    for (int j = 0; j < B; ++j) to[i * B + j] = from[j * B + i];
}

/// M rows of Y[rows, N · B] (+)= Σ_k X(row, k) · W[k, N · B], where X(row, k) = x[row · x_row + k · x_step].
template <int B, int M, int N>
void some_products(const float* x, long long x_row, long long x_step, const float* w, int depth, float* y,
                   long long y_row, bool add) {
  Lanes<B> sum[M][N];
#pragma GCC unroll 8
  for (int i = 0; i < M; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < N; ++j) sum[i][j] = Lanes<B>{};
  for (int k = 0; k < depth; ++k) {
    Lanes<B> v[N];
#pragma GCC unroll 4
    for (int j = 0; j < N; ++j) v[j] = in_register<B>(lanes<B>(w + j * B).v);
#pragma GCC unroll 8
    for (int i = 0; i < M; ++i) {
      const float s = x[i * x_row];
#pragma GCC unroll 4
      for (int j = 0; j < N; ++j) sum[i][j] += s * v[j];
    }
    w += N * B, x += x_step;
  }
#pragma GCC unroll 8
  for (int i = 0; i < M; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < N; ++j) {
      auto& to = lanes<B>(y + i * y_row + j * B);
      to.v = add ? to.v + sum[i][j] : sum[i][j];
    }
}

/// Vectors of a panel of weights: with four rows or more they make as many sums as hide how long an addition takes.
template <int B>
inline constexpr int panel = B == 16 ? 4 : 2;
/// Rows of a product come in multiples of this.
inline constexpr int row_block = 8;

/// All rows, a multiple of row_block; W has n vectors in a row, no more than a panel.
template <int B, int N = panel<B>>
void products(const float* x, long long x_row, long long x_step, int rows, const float* w, int n, int depth, float* y,
              long long y_row, bool add) {
  if constexpr (N > 1)
    if (n < N) return products<B, N - 1>(x, x_row, x_step, rows, w, n, depth, y, y_row, add);
  constexpr int M = N == panel<B> ? 4 : row_block;
  for (int r = 0; r < rows; r += M)
    some_products<B, M, N>(x + r * x_row, x_row, x_step, w, depth, y + r * y_row, y_row, add);
}

}  // namespace moecnn::onednn::winograd
