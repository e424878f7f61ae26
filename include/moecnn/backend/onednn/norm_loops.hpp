#pragma once
/// \file
/// The inner loops of batch normalisation, over the pixels of one row and one block of B channels. S: the type of the
/// maps' elements, float or Bf16.

#include "moecnn/backend/onednn/lanes.hpp"

#include <algorithm>
#include <type_traits>

namespace moecnn::onednn {

/// Two sums per channel.
template <int B>
struct Sums {
  double a[B], b[B];
};

/// Kept by the forward pass: mean and 1/σ per channel.
template <int B>
struct Moments {
  float mean[B], inverse[B];
};

/// Coefficients per channel; zero in the padding, so that padding stays zero.
template <int B>
struct Line {
  float mean[B], scale[B], slope[B], shift[B];
};

namespace detail {

/// Calls `run(first pixel, end, s, t)` for stretches of float_run pixels and adds up what it leaves in `s` and `t`.
template <int B, class F>
void in_runs(long long pixels, Sums<B>& out, const F& run) {
  for (int l = 0; l < B; ++l) out.a[l] = out.b[l] = 0;
  for (long long p = 0; p < pixels; p += float_run) {
    float s[B], t[B];
    run(p, std::min(pixels, p + float_run), s, t);
    for (int l = 0; l < B; ++l) out.a[l] += s[l], out.b[l] += t[l];
  }
}

/// Calls `f` with both flags as types, so that the loop inside has no branches on them.
template <class F>
void choose(bool a, bool b, const F& f) {
  if (a)
    b ? f(std::true_type{}, std::true_type{}) : f(std::true_type{}, std::false_type{});
  else
    b ? f(std::false_type{}, std::true_type{}) : f(std::false_type{}, std::false_type{});
}

}  // namespace detail

/// Σ (x - base) and Σ (x - base)². `base` is one pixel of the same map: near enough to the mean that nothing cancels.
template <int B, class S>
void sum_and_squares(const S* x, const S* base, long long pixels, Sums<B>& out) {
  Lanes<B> k;
  load<B>(base, k);
  detail::in_runs<B>(pixels, out, [&](long long p, long long end, float* s, float* t) {
    Lanes<B> s0{}, s1{}, t0{}, t1{};
    const auto one = [&](long long q, Lanes<B>& sum, Lanes<B>& squares) {
      Lanes<B> u;
      load<B>(x + q * B, u);
      u -= k;
      sum += u, squares += u * u;
    };
    for (; p + 2 <= end; p += 2) one(p, s0, t0), one(p + 1, s1, t1);
    if (p < end) one(p, s0, t0);
    lanes<B>(s).v = s0 + s1, lanes<B>(t).v = t0 + t1;
  });
}

/// Work of normalise() besides scaling and shifting.
template <class S>
struct Finish {
  const S* residual = nullptr;  ///< added when not null
  bool relu = false;
  LaneMask* mask = nullptr;  ///< not null: which results are greater than zero, one entry per pixel
  bool stream = false;       ///< writes past the caches
};

/// y = act((x - mean) · scale + shift + residual). NaN passes.
template <int B, class S>
void normalise(const S* x, S* y, long long pixels, const Line<B>& line, const Finish<S>& f) {
  const Lanes<B> mean = lanes<B>(line.mean).v, scale = lanes<B>(line.scale).v, shift = lanes<B>(line.shift).v, zero{};
  detail::choose(f.residual != nullptr, f.relu, [&](auto adds, auto relu) {
    for (long long p = 0; p < pixels; ++p) {
      Lanes<B> v, more;
      load<B>(x + p * B, v);
      v = (v - mean) * scale + shift;
      if constexpr (decltype(adds)::value) load<B>(f.residual + p * B, more), v += more;
      if constexpr (decltype(relu)::value) {
        if (f.mask) f.mask[p] = positive<B>(v);
        v = v < zero ? zero : v;
      }
      f.stream ? stream_out<B>(y + p * B, v) : store<B>(y + p * B, v);
    }
  });
}

/// Σ dy and Σ dy · (x - mean), with dy zero where `mask` says so (null: nowhere). That dy also goes to `residual` (null:
/// nowhere), which may be dy's own memory: added there, or written.
template <int B, class S>
void slope_sums(const S* dy, const LaneMask* mask, const S* x, const float* mean_of, S* residual, bool add,
                long long pixels, Sums<B>& out) {
  const Lanes<B> mean = lanes<B>(mean_of).v;
  if (!mask && residual == dy) residual = nullptr;  // it is there already
  detail::choose(mask != nullptr, residual != nullptr, [&](auto masked, auto stores) {
    detail::in_runs<B>(pixels, out, [&](long long p, long long end, float* s, float* t) {
      Lanes<B> s0{}, s1{}, t0{}, t1{};
      const auto one = [&](long long q, Lanes<B>& sum, Lanes<B>& dot) {
        Lanes<B> d, more;
        load<B>(dy + q * B, d);
        if constexpr (decltype(masked)::value) clear_others<B>(d, mask[q]);
        if constexpr (decltype(stores)::value) {
          if (add) load<B>(residual + q * B, more);
          store<B>(residual + q * B, add ? more + d : d);
        }
        load<B>(x + q * B, more);
        sum += d, dot += d * (more - mean);
      };
      for (; p + 2 <= end; p += 2) one(p, s0, t0), one(p + 1, s1, t1);
      if (p < end) one(p, s0, t0);
      lanes<B>(s).v = s0 + s1, lanes<B>(t).v = t0 + t1;
    });
  });
}

/// dx (+)= scale · dy + slope · (x - mean) + shift, with dy masked as above. dx may be dy's memory; `stream`: it is not,
/// and is written past the caches.
template <int B, class S>
void input_slope(const S* dy, const LaneMask* mask, const S* x, S* dx, bool add, bool stream, long long pixels,
                 const Line<B>& line) {
  const Lanes<B> mean = lanes<B>(line.mean).v, scale = lanes<B>(line.scale).v, slope = lanes<B>(line.slope).v,
                 shift = lanes<B>(line.shift).v;
  detail::choose(mask != nullptr, add, [&](auto masked, auto adds) {
    for (long long p = 0; p < pixels; ++p) {
      Lanes<B> d, more;
      load<B>(dy + p * B, d);
      if constexpr (decltype(masked)::value) clear_others<B>(d, mask[p]);
      load<B>(x + p * B, more);
      d = d * scale + (more - mean) * slope + shift;
      if constexpr (decltype(adds)::value) load<B>(dx + p * B, more), d += more;
      stream ? stream_out<B>(dx + p * B, d) : store<B>(dx + p * B, d);
    }
  });
}

}  // namespace moecnn::onednn
