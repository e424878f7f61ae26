#pragma once
/// \file
/// Resizing: bilinear for images, nearest for labels. Pixel i lies at i + 1/2 (PyTorch's align_corners=False). Weights are
/// computed once per row and column, so the loops over pixels only multiply and add.

#include "moecnn/core/size2.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace moecnn::data {

/// A piece of one axis of a resized image: positions `begin` … `begin + count - 1` of an axis of `in` pixels that is made
/// `out` long, from the end to the beginning if `mirrored`.
struct AxisPiece {
  int in, out, begin, count;
  bool mirrored = false;

  /// The i-th position of the piece.
  int at(int i) const { return begin + (mirrored ? count - 1 - i : i); }
};

/// Which inputs count for a position, and how much: result[i] = Σₜ weight[t · count + i] · input[first[i] + t].
struct Taps {
  int count = 0, taps = 0;
  int low = 0, high = 0;        ///< inputs low … high - 1 are used by some position
  std::vector<int> first, end;  ///< `end`: after the last input that counts
  std::vector<float> weight;    ///< taps × count

  const float* at(int t) const { return weight.data() + static_cast<std::size_t>(t) * count; }
};

/// Weights of a triangle: two neighbours when enlarging. When shrinking it is as much wider as the image gets smaller, so
/// that no pixel is passed over, as Pillow does it and PyTorch with antialias=True. Reuses the memory of `taps`.
inline void make_taps(Taps& taps, const AxisPiece& axis) {
  const double step = static_cast<double>(axis.in) / axis.out, reach = std::max(1.0, step);
  const auto centre = [&](int i) { return (axis.at(i) + 0.5) * step; };
  taps.count = axis.count, taps.taps = 1;
  taps.low = axis.in, taps.high = 0;
  taps.first.resize(axis.count);
  taps.end.resize(axis.count);
  for (int i = 0; i < axis.count; ++i) {
    // Inputs whose centre is nearer than `reach`. Rounded once and kept: where multiplications and additions are fused,
    // the same expression may come out differently a few lines on.
    taps.first[i] = std::max(0, static_cast<int>(std::floor(centre(i) - reach - 0.5)) + 1);
    taps.end[i] = std::min(axis.in, static_cast<int>(std::ceil(centre(i) + reach - 0.5)));
    taps.taps = std::max(taps.taps, taps.end[i] - taps.first[i]);
    taps.low = std::min(taps.low, taps.first[i]), taps.high = std::max(taps.high, taps.end[i]);
  }
  taps.weight.assign(static_cast<std::size_t>(taps.taps) * axis.count, 0);
  for (int i = 0; i < axis.count; ++i) {
    const int first = taps.first[i], end = taps.end[i];
    taps.first[i] = std::max(0, std::min(first, taps.high - taps.taps));  // never reads beyond the inputs in use
    const auto closeness = [&](int x) { return std::max(0.0, 1 - std::abs(x + 0.5 - centre(i)) / reach); };
    double sum = 0;
    for (int x = first; x < end; ++x) sum += closeness(x);
    for (int x = first; x < end; ++x)
      taps.weight[static_cast<std::size_t>(x - taps.first[i]) * axis.count + i] =
          static_cast<float>(closeness(x) / sum);
  }
}

/// The input that is nearest to each position of a piece.
inline void make_nearest(std::vector<int>& nearest, const AxisPiece& axis) {
  nearest.resize(axis.count);
  for (int i = 0; i < axis.count; ++i)
    nearest[i] = static_cast<int>((2ll * axis.at(i) + 1) * axis.in / (2ll * axis.out));
}

namespace detail {

/// to ← w · from, or to ← to + w · from.
inline void add_row(float* __restrict to, const std::uint8_t* __restrict from, int n, float w, bool first) {
  if (first)
    for (int x = 0; x < n; ++x) to[x] = w * static_cast<float>(from[x]);
  else
    for (int x = 0; x < n; ++x) to[x] += w * static_cast<float>(from[x]);
}

/// to[x] ← weight[x] · from[at[x]], or that is added.
inline void add_columns(float* __restrict to, const float* __restrict from, const int* __restrict at,
                        const float* __restrict weight, int n, bool first) {
  if (first)
    for (int x = 0; x < n; ++x) to[x] = weight[x] * from[at[x]];
  else
    for (int x = 0; x < n; ++x) to[x] += weight[x] * from[at[x]];
}

}  // namespace detail

/// Rows × columns of a plane of bytes with rows of `width`; bytes 0 … 255 become `scale` times that. `line` is memory for
/// a row of the input.
inline void resample(const std::uint8_t* plane, int width, const Taps& rows, const Taps& columns, float scale,
                     float* out, std::vector<float>& line) {
  line.resize(width);
  for (int y = 0; y < rows.count; ++y, out += columns.count) {
    const std::uint8_t* from = plane + static_cast<std::size_t>(rows.first[y]) * width + columns.low;
    for (int t = 0; t < rows.taps; ++t)
      if (const float w = rows.at(t)[y] * scale; w != 0 || t == 0)
        detail::add_row(line.data() + columns.low, from + static_cast<std::size_t>(t) * width,
                        columns.high - columns.low, w, t == 0);
    for (int t = 0; t < columns.taps; ++t)
      detail::add_columns(out, line.data() + t, columns.first.data(), columns.at(t), columns.count, t == 0);
  }
}

namespace detail {

/// A picture of `inner` at (y, x) of a plane of `outer`.
struct Placement {
  Size2 inner, outer;
  int y, x;
};

/// Moves three planes that lie packed at the beginning of `planes` to their places and fills the rest with 0. From the end
/// on, since a row's place never lies before the row.
inline void spread(float* planes, const Placement& p) {
  if (p.inner == p.outer) return;
  const auto [h, w] = p.inner;
  for (int c = 2; c >= 0; --c) {
    float* plane = planes + static_cast<std::size_t>(c) * p.outer.h * p.outer.w;
    const auto row = [&](int y) { return plane + static_cast<std::size_t>(y) * p.outer.w; };
    std::fill(row(p.y + h), row(p.outer.h), 0.0f);
    for (int y = h - 1; y >= 0; --y) {
      float* to = row(p.y + y);
      std::memmove(to + p.x, planes + (static_cast<std::size_t>(c) * h + y) * w, w * sizeof(float));
      std::fill(to, to + p.x, 0.0f);
      std::fill(to + p.x + w, to + p.outer.w, 0.0f);
    }
    std::fill(plane, row(p.y), 0.0f);
  }
}

}  // namespace detail

}  // namespace moecnn::data
