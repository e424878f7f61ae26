#pragma once
/// \file
/// A transposed convolution: the convolution whose data gradient it is, and a bias.

#include "moecnn/backend/onednn/lanes.hpp"
#include "moecnn/backend/onednn/layout.hpp"

namespace moecnn::onednn {

/// The convolution that leads from the output of `op` to its input. Both have the same weights, in the same order.
inline ops::Conv mirrored(const ops::ConvTranspose& op) {
  return {.in = op.out,
          .out = op.in,
          .kernel = op.kernel,
          .stride = op.stride,
          .pad = op.pad,
          .dilation = op.dilation,
          .groups = op.groups};
}

namespace detail {

template <int B>
void add_bias(float* y, const float* bias, int rows, int channels, long long pixels) {
  const int blocks = round_up(channels, B) / B;
#pragma omp parallel for if (worth_sharing(1LL * rows * channels * pixels))
  for (int i = 0; i < rows * blocks; ++i) {
    const int first = i % blocks * B;
    Lanes<B> add{};
    for (int l = 0; l < B && first + l < channels; ++l) add[l] = bias[first + l];
    for (long long p = 0; p < pixels; ++p) lanes<B>(y + (i * pixels + p) * B).v += add;
  }
}

template <int B>
void sum_channels(const float* dy, int rows, int channels, long long pixels, double* sums) {
  const int blocks = round_up(channels, B) / B;
#pragma omp parallel for if (worth_sharing(1LL * rows * channels * pixels))
  for (int b = 0; b < blocks; ++b) {
    double total[B] = {};
    for (int r = 0; r < rows; ++r) sum_pixels<B>(dy + (1LL * r * blocks + b) * pixels * B, pixels, total);
    for (int l = 0; l < B && b * B + l < channels; ++l) sums[b * B + l] = total[l];
  }
}

}  // namespace detail

/// y += bias in every pixel; blocked maps keep their padding.
inline void add_bias(float* y, const float* bias, int rows, int channels, long long pixels, bool blocked) {
  if (blocked) return with_channel_block([&](auto block) { detail::add_bias<block>(y, bias, rows, channels, pixels); });
#pragma omp parallel for if (worth_sharing(1LL * rows * channels * pixels))
  for (int i = 0; i < rows * channels; ++i)
#pragma omp simd
    for (long long p = 0; p < pixels; ++p) y[i * pixels + p] += bias[i % channels];
}

/// The sum of every channel over rows and pixels.
inline void sum_channels(const float* dy, int rows, int channels, long long pixels, bool blocked, double* sums) {
  if (blocked)
    return with_channel_block([&](auto block) { detail::sum_channels<block>(dy, rows, channels, pixels, sums); });
#pragma omp parallel for if (worth_sharing(1LL * rows * channels * pixels))
  for (int c = 0; c < channels; ++c) {
    double total = 0;
    for (int r = 0; r < rows; ++r)
      for (long long p = 0; p < pixels;) {
        const long long end = std::min(pixels, p + float_run);
        const float* x = dy + (1LL * r * channels + c) * pixels;
        float run = 0;
#pragma omp simd reduction(+ : run)
        for (long long q = p; q < end; ++q) run += x[q];
        total += run, p = end;
      }
    sums[c] = total;
  }
}

}  // namespace moecnn::onednn
