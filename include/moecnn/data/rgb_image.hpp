#pragma once
/// \file
/// Decoded pictures: colour images and label maps of any size, and what every decoder checks first.

#include "moecnn/core/error.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace moecnn::data {

/// A colour image of 8 bits per colour.
struct RgbImage {
  int h = 0, w = 0;
  std::vector<std::uint8_t> pixels;  ///< 3 × h × w: all red, then all green, then all blue

  std::size_t plane() const { return static_cast<std::size_t>(h) * w; }
};

/// A number per pixel that says what is there.
struct LabelMap {
  int h = 0, w = 0;
  std::vector<std::uint8_t> values;  ///< h × w
};

/// Larger pictures are refused before memory for them is allocated: 2^28 pixels are 768 MB.
inline constexpr long long most_pixels = 1ll << 28;

namespace detail {

/// Throws unless `file`, which claims to hold w × h pixels in `bytes` bytes, can be true. `densest` is how many pixels
/// the format can put into a byte at best: a file that claims more lies, and memory is not allocated for it.
inline void check_claim(std::string_view file, long long h, long long w, std::size_t bytes, long long densest,
                        long long limit) {
  check(h > 0 && w > 0, "{} claims to be {} × {} pixels; it is damaged, copy or download it again", file, w, h);
  check(w <= limit / h, "{} has {} × {} pixels, the limit is {} in all; scale it down, or raise the limit", file, w, h,
        limit);
  check(h * w / densest <= static_cast<long long>(bytes),
        "{} claims to be {} × {} pixels, which do not fit into its {} bytes; it was cut short or is damaged, copy or "
        "download it again",
        file, w, h, bytes);
}

/// Interleaved red, green, blue → three planes.
inline RgbImage to_planes(const std::uint8_t* rgb, int h, int w) {
  RgbImage image{h, w, {}};
  const std::size_t n = image.plane();
  image.pixels.resize(3 * n);
  std::uint8_t *r = image.pixels.data(), *g = r + n, *b = g + n;
  for (std::size_t i = 0; i < n; ++i) r[i] = rgb[3 * i], g[i] = rgb[3 * i + 1], b[i] = rgb[3 * i + 2];
  return image;
}

}  // namespace detail
}  // namespace moecnn::data
