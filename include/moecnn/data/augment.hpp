#pragma once
/// \file
/// Augmentation of small colour images: flip, colour jitter, crop, normalisation (operations as
/// torchvision defines them for float tensors: values in [0, 1], clamped after each step of the jitter).

#include "moecnn/data/draws.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace moecnn::data {

/// Changes of an image. By default nothing but the normalisation, with CIFAR-100's statistics.
struct AugmentOpts {
  float flip = 0;        ///< probability of a horizontal flip
  float brightness = 0;  ///< factors are uniform in [max(0, 1 - x), 1 + x]; 0 = off
  float contrast = 0;
  float saturation = 0;
  int crop_pad = 0;  ///< crop of the image's own size from the image with this many black pixels around it
  std::array<float, 3> mean{0.5071f, 0.4865f, 0.4409f};  ///< of red, green, blue in [0, 1]
  std::array<float, 3> std{0.2009f, 0.1984f, 0.2023f};

  /// As at test time: only the normalisation.
  static constexpr AugmentOpts none() { return {}; }
  /// The recipe for training on CIFAR-100.
  static constexpr AugmentOpts cifar() {
    return {.flip = 0.5f, .brightness = 0.3f, .contrast = 0.3f, .saturation = 0.3f, .crop_pad = 4};
  }
};

enum class Jitter { brightness, contrast, saturation };

/// The changes to one image.
struct Augmentation {
  bool flip = false;
  std::array<Jitter, 3> order{Jitter::brightness, Jitter::contrast, Jitter::saturation};
  float brightness = 1, contrast = 1, saturation = 1;
  int dy = 0, dx = 0;  ///< out(y, x) = in(y + dy, x + dx), black outside
};

/// Decides for image `index`; a pure function of its arguments. `rng` is Rng(seed, Purpose::augment, epoch).
inline Augmentation draw_augmentation(const AugmentOpts& opts, const Rng& rng, std::uint64_t index) {
  Draws draw(rng, index);
  Augmentation a;
  a.flip = draw.uniform(0, 1) < opts.flip;
  // Every random number is drawn whether it is used or not: switching one step off leaves the others as they were.
  a.dy = draw.below(2 * opts.crop_pad + 1) - opts.crop_pad;
  a.dx = draw.below(2 * opts.crop_pad + 1) - opts.crop_pad;
  std::swap(a.order[0], a.order[draw.below(3)]);
  std::swap(a.order[1], a.order[1 + draw.below(2)]);
  const auto factor = [&](float spread) { return draw.uniform(std::max(0.0f, 1 - spread), 1 + spread); };
  a.brightness = factor(opts.brightness);
  a.contrast = factor(opts.contrast);
  a.saturation = factor(opts.saturation);
  return a;
}

namespace detail {

inline constexpr float grey_weights[3] = {0.2989f, 0.587f, 0.114f};

inline float clamp01(float v) { return std::min(std::max(v, 0.0f), 1.0f); }

/// Sum in a fixed order that compilers can vectorise without being allowed to reorder.
inline float ordered_sum(const float* v, int n) {
  float lane[16] = {};
  int i = 0;
  for (; i + 16 <= n; i += 16)
    for (int l = 0; l < 16; ++l) lane[l] += v[i + l];
  float total = 0;
  for (float l : lane) total += l;
  for (; i < n; ++i) total += v[i];
  return total;
}

/// v ← factor · v + (1 - factor) · other, clamped.
inline void blend(float* v, int n, float factor, float other) {
  const float shift = (1 - factor) * other;
  for (int i = 0; i < n; ++i) v[i] = clamp01(factor * v[i] + shift);
}

inline void jitter(float* image, int plane, Jitter step, const Augmentation& a) {
  float *r = image, *g = image + plane, *b = image + 2 * plane;
  if (step == Jitter::brightness && a.brightness != 1) {
    blend(image, 3 * plane, a.brightness, 0);
  } else if (step == Jitter::contrast && a.contrast != 1) {
    float grey = 0;
    for (int c = 0; c < 3; ++c) grey += grey_weights[c] * ordered_sum(image + c * plane, plane);
    blend(image, 3 * plane, a.contrast, grey / static_cast<float>(plane));
  } else if (step == Jitter::saturation && a.saturation != 1) {
    for (int i = 0; i < plane; ++i) {
      const float shift =
          (1 - a.saturation) * (grey_weights[0] * r[i] + grey_weights[1] * g[i] + grey_weights[2] * b[i]);
      r[i] = clamp01(a.saturation * r[i] + shift);
      g[i] = clamp01(a.saturation * g[i] + shift);
      b[i] = clamp01(a.saturation * b[i] + shift);
    }
  }
}

/// out(y, x) = in(y + dy, x + dx) within one plane, zero outside. Rows are moved in the order that spares what is
/// still needed.
inline void shift_plane(float* plane, int h, int w, int dy, int dx) {
  const int keep = std::max(0, w - std::abs(dx));
  for (int i = 0; i < h; ++i) {
    const int y = dy >= 0 ? i : h - 1 - i;
    float* row = plane + y * w;
    if (y + dy < 0 || y + dy >= h || keep == 0) {
      std::fill(row, row + w, 0.0f);
      continue;
    }
    std::memmove(row + std::max(0, -dx), plane + (y + dy) * w + std::max(0, dx), keep * sizeof(float));
    if (dx > 0) std::fill(row + keep, row + w, 0.0f);
    if (dx < 0) std::fill(row, row + w - keep, 0.0f);
  }
}

}  // namespace detail

/// Applies one augmentation and normalises: flip, jitter, crop, (v - mean) / std. `planar` and `out` are 3 × h × w.
/// Nothing is allocated.
inline void apply_augmentation(const std::uint8_t* planar, float* out, const Augmentation& a, const AugmentOpts& opts,
                               int h = 32, int w = 32) {
  const int plane = h * w;
  if (a.flip) {
    for (int row = 0; row < 3 * h; ++row)
      for (int x = 0; x < w; ++x) out[row * w + x] = static_cast<float>(planar[row * w + w - 1 - x]) / 255.0f;
  } else {
    for (int i = 0; i < 3 * plane; ++i) out[i] = static_cast<float>(planar[i]) / 255.0f;
  }
  for (Jitter step : a.order) detail::jitter(out, plane, step, a);
  for (int c = 0; c < 3; ++c) {
    float* v = out + c * plane;
    if (a.dy || a.dx) detail::shift_plane(v, h, w, a.dy, a.dx);
    for (int i = 0; i < plane; ++i) v[i] = (v[i] - opts.mean[c]) / opts.std[c];
  }
}

/// Draws and applies. A pure function: the same (seed, epoch, index) give the same image on every thread.
inline void augment(const std::uint8_t* planar, float* out, const AugmentOpts& opts, const Rng& rng,
                    std::uint64_t index, int h = 32, int w = 32) {
  apply_augmentation(planar, out, draw_augmentation(opts, rng, index), opts, h, w);
}

}  // namespace moecnn::data
