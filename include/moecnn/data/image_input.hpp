#pragma once
/// \file
/// One picture of any size → what a network for small images sees at test time.

#include "moecnn/core/size2.hpp"
#include "moecnn/data/augment.hpp"
#include "moecnn/data/resample.hpp"
#include "moecnn/data/rgb_image.hpp"

namespace moecnn::data {

namespace detail {

/// The middle `out` pixels of an axis of `in` pixels that is made `scaled` long.
inline Taps middle_of(int in, int scaled, int out) {
  Taps taps;
  make_taps(taps, {.in = in, .out = scaled, .begin = (scaled - out) / 2, .count = out});
  return taps;
}

}  // namespace detail

namespace detail {

/// [3, size]: the picture is scaled until it covers `margin` times `size`, keeping its proportions; the middle is cut out;
/// values are normalised. `line` is memory for a row.
inline void scaled_middle(const RgbImage& image, Size2 size, double margin, const std::array<float, 3>& mean,
                          const std::array<float, 3>& std, float* out, std::vector<float>& line) {
  const double scale = margin * std::max(static_cast<double>(size.h) / image.h, static_cast<double>(size.w) / image.w);
  const auto scaled = [&](int in, int least) { return std::max(least, static_cast<int>(std::lround(in * scale))); };
  const Taps rows = middle_of(image.h, scaled(image.h, size.h), size.h);
  const Taps columns = middle_of(image.w, scaled(image.w, size.w), size.w);
  const std::size_t plane = static_cast<std::size_t>(size.h) * size.w;
  for (std::size_t c = 0; c < 3; ++c, out += plane) {
    resample(image.pixels.data() + c * image.plane(), image.w, rows, columns, 1.0f, out, line);
    for (std::size_t i = 0; i < plane; ++i) out[i] = (out[i] / 255.0f - mean[c]) / std[c];
  }
}

}  // namespace detail

/// [3, h, w]: the picture is scaled until it covers h × w pixels, keeping its proportions; the middle is cut out; values
/// are normalised by `opts`, as data::Loader does for test images. A picture of that size comes out as from the loader.
inline std::vector<float> image_input(const RgbImage& image, int h, int w,
                                      const AugmentOpts& opts = AugmentOpts::none()) {
  check(image.h > 0 && image.w > 0 && image.pixels.size() == 3 * image.plane(),
        "a picture of {} × {} pixels with {} values was given, expected 3 values per pixel", image.w, image.h,
        image.pixels.size());
  check(h > 0 && w > 0, "a picture cannot be brought to {} × {} pixels", w, h);
  std::vector<float> out(3 * static_cast<std::size_t>(h) * w), line;
  detail::scaled_middle(image, {h, w}, 1, opts.mean, opts.std, out.data(), line);
  return out;
}

}  // namespace moecnn::data
