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
  std::size_t bytes() const { return pixels.size(); }
};

/// A number per pixel that says what is there.
struct LabelMap {
  int h = 0, w = 0;
  std::vector<std::uint8_t> values;  ///< h × w
};

/// Larger pictures are refused before memory for them is allocated, unless a larger limit is given: 2^26 pixels, 8192 × 8192,
/// are 192 MB per thread that decodes. Street scenes have 2^21.
inline constexpr long long most_pixels = 1ll << 26;

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

/// Pixels of a row that a decoder delivers: x, x + step, … below the width, in row y.
struct RowPlace {
  int y = 0, x = 0, step = 1;
};

/// Interleaved red, green, blue of a row → three planes. Row by row, so that the picture lies in memory but once.
inline void put_row(RgbImage& image, const std::uint8_t* rgb, RowPlace at) {
  const std::size_t n = image.plane();
  std::uint8_t* r = image.pixels.data() + static_cast<std::size_t>(at.y) * image.w;
  for (int x = at.x; x < image.w; x += at.step, rgb += 3) r[x] = rgb[0], r[n + x] = rgb[1], r[2 * n + x] = rgb[2];
}
inline void put_row(LabelMap& labels, const std::uint8_t* values, RowPlace at) {
  std::uint8_t* row = labels.values.data() + static_cast<std::size_t>(at.y) * labels.w;
  for (int x = at.x; x < labels.w; x += at.step) row[x] = *values++;
}

}  // namespace detail
}  // namespace moecnn::data
