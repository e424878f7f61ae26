#pragma once
/// \file
/// From a picture of any size to the input of a network: random-resized crops and flips for training, the middle for tests.

#include "moecnn/core/size2.hpp"
#include "moecnn/data/draws.hpp"
#include "moecnn/data/image_input.hpp"

namespace moecnn::data {

/// By default the middle of the picture: it is scaled until it covers `margin` times the input's size, and cut.
struct FolderAugment {
  double min_scale = 1, max_scale = 1;  ///< share of the picture's area that a random crop takes; 1 and 1: no such crop
  double min_ratio = 3.0 / 4, max_ratio = 4.0 / 3;    ///< of width to height of a random crop
  float flip = 0;                                     ///< probability of a horizontal flip
  double margin = 8.0 / 7;                            ///< without a crop; torchvision scales to 256 and cuts 224
  std::array<float, 3> mean{0.485f, 0.456f, 0.406f};  ///< of ImageNet's red, green and blue in [0, 1]
  std::array<float, 3> std{0.229f, 0.224f, 0.225f};

  /// torchvision's recipe for ImageNet: RandomResizedCrop and RandomHorizontalFlip.
  static constexpr FolderAugment training() { return {.min_scale = 0.08, .max_scale = 1, .flip = 0.5f}; }
  bool crops() const { return min_scale != 1 || max_scale != 1; }
};

inline void check_consistent(const FolderAugment& a) {
  check(a.min_scale > 0 && a.min_scale <= a.max_scale && a.max_scale <= 1,
        "random crops of {} to {} of a picture's area were asked for; expected a range within (0, 1]", a.min_scale,
        a.max_scale);
  check(a.min_ratio > 0 && a.min_ratio <= a.max_ratio && a.max_ratio <= 100,
        "random crops with width to height of {} to {} were asked for; expected a range within (0, 100]", a.min_ratio,
        a.max_ratio);
  check(a.margin >= 1 && a.margin <= 100, "a margin of {} was asked for; expected 1 to 100", a.margin);
  check(a.flip >= 0 && a.flip <= 1, "pictures are to be flipped with probability {}; expected 0 to 1", a.flip);
  for (const float s : a.std) check(s > 0, "a standard deviation is {}; expected more than 0", s);
}

/// A window of a picture, in its pixels.
struct Window {
  int top = 0, left = 0, h = 0, w = 0;
  bool flip = false;
};

/// torchvision's RandomResizedCrop for picture `index`, `own` large; a pure function of its arguments. Ten times a share of
/// the area and a ratio (uniform in its logarithm) are drawn; the first window that fits is taken at a random place. If none
/// does: the middle, as large as the ratios allow. `rng` is Rng(seed, Purpose::augment, epoch).
inline Window draw_window(const FolderAugment& opts, const Rng& rng, std::uint64_t index, Size2 own) {
  Draws draw(rng, index);
  Window window;
  window.flip = draw.uniform(0, 1) < opts.flip;
  const double area = static_cast<double>(own.h) * own.w;
  const auto between = [&](double low, double high) { return low + (high - low) * draw.uniform(0, 1); };
  for (int t = 0; t < 10; ++t) {
    const double target = area * between(opts.min_scale, opts.max_scale);
    const double ratio = std::exp(between(std::log(opts.min_ratio), std::log(opts.max_ratio)));
    window.w = static_cast<int>(std::lround(std::sqrt(target * ratio)));
    window.h = static_cast<int>(std::lround(std::sqrt(target / ratio)));
    if (window.w < 1 || window.w > own.w || window.h < 1 || window.h > own.h) continue;
    window.top = draw.below(own.h - window.h + 1);
    window.left = draw.below(own.w - window.w + 1);
    return window;
  }
  const double ratio = static_cast<double>(own.w) / own.h;
  const auto at_least_one = [](double side) { return std::max(1, static_cast<int>(std::lround(side))); };
  window.h = ratio < opts.min_ratio ? std::min(own.h, at_least_one(own.w / opts.min_ratio)) : own.h;
  window.w = ratio > opts.max_ratio ? std::min(own.w, at_least_one(own.h * opts.max_ratio)) : own.w;
  window.top = (own.h - window.h) / 2;
  window.left = (own.w - window.w) / 2;
  return window;
}

/// The window, resized to `size` and normalised: [3, size]. `line` is memory for a row.
inline void apply_window(const RgbImage& image, const Window& window, Size2 size, const FolderAugment& opts, float* out,
                         std::vector<float>& line) {
  Taps rows, columns;
  make_taps(rows, {.in = window.h, .out = size.h, .begin = 0, .count = size.h});
  make_taps(columns, {.in = window.w, .out = size.w, .begin = 0, .count = size.w, .mirrored = window.flip});
  const std::size_t plane = static_cast<std::size_t>(size.h) * size.w;
  const std::size_t first = static_cast<std::size_t>(window.top) * image.w + window.left;
  for (std::size_t c = 0; c < 3; ++c, out += plane) {
    resample(image.pixels.data() + c * image.plane() + first, image.w, rows, columns, 1.0f, out, line);
    for (std::size_t i = 0; i < plane; ++i) out[i] = (out[i] / 255.0f - opts.mean[c]) / opts.std[c];
  }
}

/// [3, size]: the middle of a picture, as FolderLoader gives it in a test.
inline std::vector<float> folder_input(const RgbImage& image, Size2 size, const FolderAugment& opts = {}) {
  std::vector<float> out(3 * static_cast<std::size_t>(size.h) * size.w), line;
  detail::scaled_middle(image, size, opts.margin, opts.mean, opts.std, out.data(), line);
  return out;
}

/// The input made of picture `index` in an epoch: a random window, or the middle.
inline void apply_folder_augment(const RgbImage& image, const FolderAugment& opts, const Rng& rng, std::uint64_t index,
                                 Size2 size, float* out, std::vector<float>& line) {
  if (opts.crops() || opts.flip > 0) {
    Window window = draw_window(opts, rng, index, {image.h, image.w});
    if (opts.crops()) return apply_window(image, window, size, opts, out, line);
    detail::scaled_middle(image, size, opts.margin, opts.mean, opts.std, out, line);
    if (!window.flip) return;
    for (long long row = 0; row < 3LL * size.h; ++row) std::reverse(out + row * size.w, out + (row + 1) * size.w);
    return;
  }
  detail::scaled_middle(image, size, opts.margin, opts.mean, opts.std, out, line);
}

}  // namespace moecnn::data
