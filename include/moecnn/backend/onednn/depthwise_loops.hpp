#pragma once
/// \file
/// The inner loops of depthwise convolutions, over the lines of pixels of one row and one block of B channels. Every
/// channel has its own window, so a window's position is one vector of weights, and sums of several pixels stay in
/// registers while the loop walks through the window.

#include "moecnn/backend/onednn/conv_end.hpp"

#include <algorithm>
#include <type_traits>
#include <vector>

namespace moecnn::onednn {

/// One axis of a map whose pixels are sums over windows of another map, the source: pixel q · phases + p sums the
/// source's pixels q · step + tap.shift over the taps of phase p. A convolution has one phase and steps by its stride; the
/// gradient of its input has as many phases as strides and steps by one.
struct WindowAxis {
  struct Tap {
    int shift, kernel;  ///< where the source is read, and the position in the window that weighs it
  };

  int source = 0, size = 0, kernel = 1, step = 1;
  std::vector<std::vector<Tap>> taps;  ///< per phase
  int before = 0, after = 0;           ///< pixels that are read where the source has none

  int phases() const { return static_cast<int>(taps.size()); }
  /// Pixels of a phase.
  int count(int phase) const { return (size - phase + phases() - 1) / phases(); }
  int padded() const { return before + source + after; }

  static WindowAxis of_output(int in, int out, int kernel, int stride, int pad, int dilation) {
    WindowAxis a{.source = in, .size = out, .kernel = kernel, .step = stride, .taps = {{}}};
    for (int k = 0; k < kernel; ++k) a.taps[0].push_back({k * dilation - pad, k});
    return a.with_ends();
  }
  /// in and out are the convolution's: the source is the gradient of its output.
  static WindowAxis of_input_grad(int in, int out, int kernel, int stride, int pad, int dilation) {
    WindowAxis a{.source = out, .size = in, .kernel = kernel, .step = 1, .taps = {}};
    a.taps.resize(stride);
    for (int p = 0; p < stride; ++p)
      for (int k = 0; k < kernel; ++k)
        if (const int ahead = p + pad - k * dilation; ahead % stride == 0) a.taps[p].push_back({ahead / stride, k});
    return a.with_ends();
  }

  /// Calls `visit(line of the source, position in the window)` for the lines that a line reads and that exist.
  template <class F>
  void for_each_line(int line, const F& visit) const {
    const int from = line / phases() * step;
    for (const Tap& t : taps[line % phases()])
      if (from + t.shift >= 0 && from + t.shift < source) visit(from + t.shift, t.kernel);
  }

 private:
  WindowAxis& with_ends() {
    for (int p = 0; p < phases(); ++p)
      for (const Tap& t : taps[p]) {
        before = std::max(before, -t.shift);
        after = std::max(after, (count(p) - 1) * step + t.shift - (source - 1));
      }
    return *this;
  }
};

/// Lines of a source's block, with zeros where a window reads beyond their ends, so that no loop asks where it is.
struct PaddedLines {
  const float* data;  ///< the first pixel, not of the padding, of line 0
  long long stride;   ///< numbers from line to line

  const float* line(int i) const { return data + i * stride; }
};

/// Lines [first, end) of a source's block, of which there is a copy at `room` if they need padding.
template <int B>
PaddedLines pad_lines(const float* block, const WindowAxis& columns, int first, int end, float* room) {
  const long long width = 1LL * columns.source * B, wide = 1LL * columns.padded() * B;
  if (width == wide) return {block, width};
  const long long before = 1LL * columns.before * B;
  for (int i = first; i < end; ++i) {
    float* to = std::fill_n(room + (i - first) * wide, before, 0.f);
    std::fill(std::copy_n(block + i * width, width, to), room + (i + 1 - first) * wide, 0.f);
  }
  return {room + before - first * wide, wide};
}

namespace detail {

/// Sums of B channels that are kept in registers at once: eight registers full, enough to hide how long an addition takes.
template <int B>
inline constexpr int sums_at_once = std::min(8, 8 * vector_floats / B);

/// Calls `f` with n, which lies between 1 and Most, as a type.
template <int Most, class F>
void with_constant(int n, const F& f) {
  if constexpr (Most > 1)
    if (n < Most) return with_constant<Most - 1>(n, f);
  f(std::integral_constant<int, Most>{});
}

/// Calls `f(size as a type, first)` for parts of [0, n) of nearly equal sizes, none larger than Most.
template <int Most, class F>
void in_parts(int n, const F& f) {
  const int parts = (n + Most - 1) / Most;
  for (int i = 0, first = 0; i < parts; ++i) {
    const int size = (n - first + parts - i - 1) / (parts - i);
    with_constant<Most>(size, [&](auto constant) { f(constant, first); });
    first += size;
  }
}

}  // namespace detail

/// N pixels of a line, from pixel `first` of `phase` on.
template <int B, int N>
void some_window_sums(const PaddedLines& x, const WindowAxis& rows, const WindowAxis& columns, int line, int phase,
                      int first, const float* weights, const ConvEnd& end) {
  Lanes<B> sum[N];
  const Lanes<B> start = end.bias ? lanes<B>(end.bias).v : Lanes<B>{};
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) sum[i] = start;
  const long long step = 1LL * columns.step * B;
  const auto& taps = columns.taps[phase];
  rows.for_each_line(line, [&](int from, int k) {
    const float *source = x.line(from) + first * step, *w = weights + 1LL * k * columns.kernel * B;
    for (const WindowAxis::Tap& t : taps) {
      const Lanes<B> v = lanes<B>(w + t.kernel * B).v;
      const float* at = source + t.shift * B;
#pragma GCC unroll 8
      for (int i = 0; i < N; ++i) sum[i] += v * lanes<B>(at + i * step).v;
    }
  });
  const int apart = columns.phases();
  const long long to = (1LL * first * apart + phase) * B;
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) {
    end.store<B>(to + 1LL * i * apart * B, sum[i]);
  }
}

/// Line `line` of a map: sums over windows of `x` with `weights` [kernel, kernel, B].
template <int B>
void window_sums(const PaddedLines& x, const WindowAxis& rows, const WindowAxis& columns, int line,
                 const float* weights, const ConvEnd& end) {
  for (int phase = 0; phase < columns.phases(); ++phase)
    if (columns.count(phase) > 0)
      detail::in_parts<detail::sums_at_once<B>>(columns.count(phase), [&](auto n, int first) {
        some_window_sums<B, decltype(n)::value>(x, rows, columns, line, phase, first, weights, end);
      });
}

/// sums[N, B] += Σ dy · x over lines [first, end), for N neighbouring positions of the window, from `tap` on, in its line
/// number `row_tap`. Lines whose source does not exist are left out.
template <int B, int N>
void some_weight_sums(const PaddedLines& x, const WindowAxis& rows, const WindowAxis& columns, int row_tap, int tap,
                      const float* dy, int first, int end, double* sums) {
  constexpr int pixels = 2 * N <= detail::sums_at_once<B> ? 2 : 1;  // more sums, where N are too few to be fast
  const WindowAxis::Tap* taps = columns.taps[0].data() + tap;
  const long long step = 1LL * columns.step * B;
  const int shift = rows.taps[0][row_tap].shift, width = columns.size;
  const int run = std::max<int>(1, static_cast<int>(float_run) / width);  // lines
  for (int l = first; l < end; l += run) {
    Lanes<B> sum[pixels * N] = {};
    for (int o = l; o < std::min(end, l + run); ++o) {
      const int from = o * rows.step + shift;
      if (from < 0 || from >= rows.source) continue;
      const float *d = dy + 1LL * o * width * B, *at[N];
      for (int i = 0; i < N; ++i) at[i] = x.line(from) + taps[i].shift * B;
      int p = 0;
      for (; p + pixels <= width; p += pixels)
#pragma GCC unroll 2
        for (int j = 0; j < pixels; ++j) {
          const Lanes<B> v = lanes<B>(d + (p + j) * B).v;
#pragma GCC unroll 8
          for (int i = 0; i < N; ++i) sum[j * N + i] += v * lanes<B>(at[i] + (p + j) * step).v;
        }
      if (p < width) {
        const Lanes<B> v = lanes<B>(d + p * B).v;
#pragma GCC unroll 8
        for (int i = 0; i < N; ++i) sum[i] += v * lanes<B>(at[i] + p * step).v;
      }
    }
    for (int i = 0; i < N; ++i) {
      if constexpr (pixels == 2) sum[i] += sum[N + i];
      for (int c = 0; c < B; ++c) sums[i * B + c] += sum[i][c];
    }
  }
}

/// sums[kernel · kernel, B] += Σ dy · x over lines [first, end) of dy.
template <int B>
void weight_sums(const PaddedLines& x, const WindowAxis& rows, const WindowAxis& columns, const float* dy, int first,
                 int end, double* sums) {
  for (int k = 0; k < rows.kernel; ++k)
    detail::in_parts<detail::sums_at_once<B>>(columns.kernel, [&](auto n, int tap) {
      some_weight_sums<B, decltype(n)::value>(x, rows, columns, k, tap, dy, first, end,
                                              sums + (1LL * k * columns.kernel + tap) * B);
    });
}

}  // namespace moecnn::onednn
