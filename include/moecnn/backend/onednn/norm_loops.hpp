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

/// What the forward pass keeps: mean and 1/σ per channel.
template <int B>
struct Moments {
  float mean[B];
  double inverse[B];
};

/// Coefficients per channel; zero in the padding, so that padding stays zero.
template <int B>
struct Line {
  float mean[B], scale[B], slope[B], shift[B];
};

/// Calls `run(first pixel, end)` for stretches of float_run pixels and adds the two vectors that it returns in `s`, `t`.
template <int B, class F>
void in_runs(long long pixels, Sums<B>& out, const F& run) {
  for (int l = 0; l < B; ++l) out.a[l] = out.b[l] = 0;
  for (long long p = 0; p < pixels; p += float_run) {
    float s[B], t[B];
    run(p, std::min(pixels, p + float_run), s, t);
    for (int l = 0; l < B; ++l) out.a[l] += s[l], out.b[l] += t[l];
  }
}

/// Σ (x - base) and Σ (x - base)². `base` is one pixel of the same map: near enough to the mean that nothing cancels.
template <int B>
void sum_and_squares(const float* x, const float* base, long long pixels, Sums<B>& out) {
  const Lanes<B> k = lanes<B>(base);
  in_runs<B>(pixels, out, [&](long long p, long long end, float* s, float* t) {
    Lanes<B> s0{}, s1{}, t0{}, t1{};
    for (; p + 2 <= end; p += 2) {
      const Lanes<B> u = lanes<B>(x + p * B) - k, v = lanes<B>(x + (p + 1) * B) - k;
      s0 += u, t0 += u * u, s1 += v, t1 += v * v;
    }
    if (p < end) {
      const Lanes<B> u = lanes<B>(x + p * B) - k;
      s0 += u, t0 += u * u;
    }
    lanes<B>(s) = s0 + s1, lanes<B>(t) = t0 + t1;
  });
}

/// y = act((x - mean) · scale + shift + residual). NaN passes.
template <int B>
void normalise(const float* x, const float* residual, float* y, long long pixels, const Line<B>& line, bool relu) {
  const Lanes<B> mean = lanes<B>(line.mean), scale = lanes<B>(line.scale), shift = lanes<B>(line.shift), zero{};
  auto loop = [&](auto with_residual, auto with_relu) {
    for (long long i = 0; i < pixels * B; i += B) {
      Lanes<B> v = (lanes<B>(x + i) - mean) * scale + shift;
      if constexpr (decltype(with_residual)::value) v += lanes<B>(residual + i);
      if constexpr (decltype(with_relu)::value) v = v < zero ? zero : v;
      lanes<B>(y + i) = v;
    }
  };
  using yes = std::true_type;
  using no = std::false_type;
  if (residual)
    relu ? loop(yes{}, yes{}) : loop(yes{}, no{});
  else
    relu ? loop(no{}, yes{}) : loop(no{}, no{});
}

/// Σ dy and Σ dy · (x - mean), where dy counts only where y > 0 (y null: everywhere). dy also goes to `residual` (null:
/// nowhere), which may be dy's own memory: added there, or written.
template <int B>
void slope_sums(const float* dy, const float* y, const float* x, const float* mean_of, float* residual, bool add,
                long long pixels, Sums<B>& out) {
  const Lanes<B> mean = lanes<B>(mean_of), zero{};
  auto loop = [&](auto masked, auto stores, auto adds) {
    in_runs<B>(pixels, out, [&](long long p, long long end, float* s, float* t) {
      Lanes<B> s0{}, s1{}, t0{}, t1{};
      auto one = [&](long long i, Lanes<B>& sum, Lanes<B>& dot) {
        Lanes<B> d = lanes<B>(dy + i);
        if constexpr (decltype(masked)::value) d = lanes<B>(y + i) > zero ? d : zero;
        if constexpr (decltype(adds)::value)
          lanes<B>(residual + i) += d;
        else if constexpr (decltype(stores)::value)
          lanes<B>(residual + i) = d;
        sum += d, dot += d * (lanes<B>(x + i) - mean);
      };
      for (; p + 2 <= end; p += 2) one(p * B, s0, t0), one((p + 1) * B, s1, t1);
      if (p < end) one(p * B, s0, t0);
      lanes<B>(s) = s0 + s1, lanes<B>(t) = t0 + t1;
    });
  };
  using yes = std::true_type;
  using no = std::false_type;
  if (!residual || (!y && residual == dy))
    y ? loop(yes{}, no{}, no{}) : loop(no{}, no{}, no{});
  else if (add)
    y ? loop(yes{}, no{}, yes{}) : loop(no{}, no{}, yes{});
  else
    y ? loop(yes{}, yes{}, no{}) : loop(no{}, yes{}, no{});
}

/// dx (+)= scale · dy + slope · (x - mean) + shift, with dy masked as above. dx may be dy's memory.
template <int B>
void input_slope(const float* dy, const float* y, const float* x, float* dx, bool add, long long pixels,
                 const Line<B>& line) {
  const Lanes<B> mean = lanes<B>(line.mean), scale = lanes<B>(line.scale), slope = lanes<B>(line.slope),
                 shift = lanes<B>(line.shift), zero{};
  auto loop = [&](auto masked, auto adds) {
    for (long long i = 0; i < pixels * B; i += B) {
      Lanes<B> d = lanes<B>(dy + i);
      if constexpr (decltype(masked)::value) d = lanes<B>(y + i) > zero ? d : zero;
      d = d * scale + (lanes<B>(x + i) - mean) * slope + shift;
      if constexpr (decltype(adds)::value) d += lanes<B>(dx + i);
      lanes<B>(dx + i) = d;
    }
  };
  using yes = std::true_type;
  using no = std::false_type;
  if (y)
    add ? loop(yes{}, yes{}) : loop(yes{}, no{});
  else
    add ? loop(no{}, yes{}) : loop(no{}, no{});
}

}  // namespace moecnn::onednn
