#pragma once
/// \file
/// The inner loops of batch normalisation, over the pixels of one row and one block of B channels.

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
template <int B>
void sum_and_squares(const float* x, const float* base, long long pixels, Sums<B>& out) {
  const Lanes<B> k = lanes<B>(base).v;
  detail::in_runs<B>(pixels, out, [&](long long p, long long end, float* s, float* t) {
    Lanes<B> s0{}, s1{}, t0{}, t1{};
    for (; p + 2 <= end; p += 2) {
      const Lanes<B> u = lanes<B>(x + p * B).v - k, v = lanes<B>(x + (p + 1) * B).v - k;
      s0 += u, t0 += u * u, s1 += v, t1 += v * v;
    }
    if (p < end) {
      const Lanes<B> u = lanes<B>(x + p * B).v - k;
      s0 += u, t0 += u * u;
    }
    lanes<B>(s).v = s0 + s1, lanes<B>(t).v = t0 + t1;
  });
}

/// Work of normalise() besides scaling and shifting.
struct Finish {
  const float* residual = nullptr;  ///< added when not null
  bool relu = false;
  LaneMask* mask = nullptr;  ///< not null: which results are greater than zero, one entry per pixel
  bool stream = false;       ///< writes past the caches
};

/// y = act((x - mean) · scale + shift + residual). NaN passes.
template <int B>
void normalise(const float* x, float* y, long long pixels, const Line<B>& line, const Finish& f) {
  const Lanes<B> mean = lanes<B>(line.mean).v, scale = lanes<B>(line.scale).v, shift = lanes<B>(line.shift).v, zero{};
  detail::choose(f.residual != nullptr, f.relu, [&](auto adds, auto relu) {
    for (long long p = 0; p < pixels; ++p) {
      Lanes<B> v = (lanes<B>(x + p * B).v - mean) * scale + shift;
      if constexpr (decltype(adds)::value) v += lanes<B>(f.residual + p * B).v;
      if constexpr (decltype(relu)::value) {
        if (f.mask) f.mask[p] = positive<B>(v);
        v = v < zero ? zero : v;
      }
      f.stream ? stream_out<B>(y + p * B, v) : void(lanes<B>(y + p * B).v = v);
    }
  });
}

/// Σ dy and Σ dy · (x - mean), with dy zero where `mask` says so (null: nowhere). That dy also goes to `residual` (null:
/// nowhere), which may be dy's own memory: added there, or written.
template <int B>
void slope_sums(const float* dy, const LaneMask* mask, const float* x, const float* mean_of, float* residual, bool add,
                long long pixels, Sums<B>& out) {
  const Lanes<B> mean = lanes<B>(mean_of).v;
  if (!mask && residual == dy) residual = nullptr;  // it is there already
  detail::choose(mask != nullptr, residual != nullptr, [&](auto masked, auto stores) {
    detail::in_runs<B>(pixels, out, [&](long long p, long long end, float* s, float* t) {
      Lanes<B> s0{}, s1{}, t0{}, t1{};
      const auto one = [&](long long q, Lanes<B>& sum, Lanes<B>& dot) {
        Lanes<B> d = lanes<B>(dy + q * B).v;
        if constexpr (decltype(masked)::value) clear_others<B>(d, mask[q]);
        if constexpr (decltype(stores)::value)
          lanes<B>(residual + q * B).v = add ? lanes<B>(residual + q * B).v + d : d;
        sum += d, dot += d * (lanes<B>(x + q * B).v - mean);
      };
      for (; p + 2 <= end; p += 2) one(p, s0, t0), one(p + 1, s1, t1);
      if (p < end) one(p, s0, t0);
      lanes<B>(s).v = s0 + s1, lanes<B>(t).v = t0 + t1;
    });
  });
}

/// dx (+)= scale · dy + slope · (x - mean) + shift, with dy masked as above. dx may be dy's memory; `stream`: it is not,
/// and is written past the caches.
template <int B>
void input_slope(const float* dy, const LaneMask* mask, const float* x, float* dx, bool add, bool stream,
                 long long pixels, const Line<B>& line) {
  const Lanes<B> mean = lanes<B>(line.mean).v, scale = lanes<B>(line.scale).v, slope = lanes<B>(line.slope).v,
                 shift = lanes<B>(line.shift).v;
  detail::choose(mask != nullptr, add, [&](auto masked, auto adds) {
    for (long long p = 0; p < pixels; ++p) {
      Lanes<B> d = lanes<B>(dy + p * B).v;
      if constexpr (decltype(masked)::value) clear_others<B>(d, mask[p]);
      d = d * scale + (lanes<B>(x + p * B).v - mean) * slope + shift;
      if constexpr (decltype(adds)::value) d += lanes<B>(dx + p * B).v;
      stream ? stream_out<B>(dx + p * B, d) : void(lanes<B>(dx + p * B).v = d);
    }
  });
}

}  // namespace moecnn::onednn
