#pragma once
/// \file
/// Small pictures inside the page: pixels → PNG (libpng) → data URI, and sheets of thumbnails.

#include "moecnn/core/error.hpp"
#include "moecnn/io/atomic_file.hpp"
#include "moecnn/report/text.hpp"

#include <png.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace moecnn::report {

/// Eight-bit pixels, rows from the top, channels interleaved: RGB, or RGBA with straight alpha.
struct Image {
  int width = 0, height = 0;
  int channels = 3;
  std::vector<std::uint8_t> pixels = {};  ///< height × width × channels

  bool empty() const { return width <= 0 || height <= 0; }
};

/// Throws unless `image` has pixels, 3 or 4 channels and as many bytes as its size says.
inline void check_image(const Image& image) {
  check(!image.empty() && (image.channels == 3 || image.channels == 4),
        "image of {}x{} pixels and {} channels; expected at least one pixel and RGB or RGBA", image.width, image.height,
        image.channels);
  const auto bytes = static_cast<std::size_t>(image.width) * image.height * image.channels;
  check(image.pixels.size() == bytes, "image of {}x{}x{} holds {} bytes, expected {}", image.width, image.height,
        image.channels, image.pixels.size(), bytes);
}

/// The bytes of a PNG file.
inline std::vector<std::uint8_t> encode_png(const Image& image) {
  check_image(image);
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(image.width);
  png.height = static_cast<png_uint_32>(image.height);
  png.format = image.channels == 4 ? PNG_FORMAT_RGBA : PNG_FORMAT_RGB;
  std::vector<std::uint8_t> bytes(PNG_IMAGE_PNG_SIZE_MAX(png));
  png_alloc_size_t size = bytes.size();
  const int ok = png_image_write_to_memory(&png, bytes.data(), &size, 0, image.pixels.data(), 0, nullptr);
  check(ok != 0, "libpng cannot encode an image of {}x{}: {}", image.width, image.height, png.message);
  bytes.resize(size);
  return bytes;
}

/// Writes a PNG file, whole or not at all; the folder must exist.
inline void write_png(const Image& image, const std::filesystem::path& path) {
  const auto bytes = encode_png(image);
  io::AtomicFile file(path);
  file.write({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  file.commit();
}

/// RFC 4648, with padding.
inline std::string base64(std::span<const std::uint8_t> bytes) {
  static constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t word = 0;
    for (std::size_t j = 0; j < 3; ++j) word = word << 8 | (j < left ? bytes[i + j] : 0u);
    for (std::size_t j = 0; j < 4; ++j) out += j <= left ? digits[word >> (18 - 6 * j) & 63] : '=';
  }
  return out;
}

/// Tiles images of one size into an RGBA sheet, row by row, each pixel `scale` × `scale` (nearest neighbour); `gap`
/// pixels between them are transparent, so that the page's ground shows in light and dark.
inline Image image_grid(std::span<const Image> images, int columns, int scale = 2, int gap = 4) {
  check(!images.empty() && columns > 0 && scale > 0 && gap >= 0,
        "image grid of {} images, {} columns, scale {}, gap {}; expected at least 1, 1, 1 and 0", images.size(),
        columns, scale, gap);
  const int w = images[0].width, h = images[0].height;
  for (const Image& image : images) {
    check_image(image);
    check(image.width == w && image.height == h, "image grid holds {}x{} and {}x{}; all must have one size", w, h,
          image.width, image.height);
  }
  const int count = static_cast<int>(images.size());
  columns = std::min(columns, count);
  const int rows = (count + columns - 1) / columns;
  Image sheet{.width = columns * w * scale + (columns - 1) * gap,
              .height = rows * h * scale + (rows - 1) * gap,
              .channels = 4,
              .pixels = {}};
  sheet.pixels.assign(static_cast<std::size_t>(sheet.width) * sheet.height * 4, 0);
  for (int i = 0; i < count; ++i) {
    const int left = i % columns * (w * scale + gap), top = i / columns * (h * scale + gap);
    const int channels = images[i].channels;
    for (int y = 0; y < h * scale; ++y)
      for (int x = 0; x < w * scale; ++x) {
        const auto* from = &images[i].pixels[(static_cast<std::size_t>(y / scale) * w + x / scale) * channels];
        auto* to = &sheet.pixels[(static_cast<std::size_t>(top + y) * sheet.width + left + x) * 4];
        std::copy_n(from, channels, to);
        if (channels == 3) to[3] = 255;
      }
  }
  return sheet;
}

/// An `<img>` that carries its picture. Shown `density` pixels to a CSS pixel, so that it is sharp on dense screens too.
inline Markup image_tag(const Image& image, std::string_view alt, double density = 2) {
  return {formatted("<img alt=\"{}\" width=\"{:.0f}\" height=\"{:.0f}\" src=\"data:image/png;base64,{}\"/>",
                    escape(alt), image.width / density, image.height / density, base64(encode_png(image)))};
}

}  // namespace moecnn::report
