#pragma once
/// \file
/// PNG (libpng) → colour image or label map.

#include "moecnn/data/rgb_image.hpp"

#include <png.h>

#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <span>
#include <string>

namespace moecnn::data {

namespace detail {

/// libpng reports errors by longjmp, which runs no destructors. So each function that calls it and can fail is one of
/// this class, has only plain locals, and answers false; reason() then says why. Memory is allocated between the calls.
class PngDecoder {
 public:
  explicit PngDecoder(std::span<const std::uint8_t> bytes) : source_{bytes.data(), bytes.size(), {}} {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, &source_, failed, [](png_structp, png_const_charp) {});
    if (png_) info_ = png_create_info_struct(png_);
    if (info_) return;
    png_destroy_read_struct(&png_, nullptr, nullptr);
    fail("libpng {} cannot be used: out of memory, or moecnn was compiled for another version", png_get_libpng_ver({}));
  }
  PngDecoder(const PngDecoder&) = delete;
  PngDecoder& operator=(const PngDecoder&) = delete;
  ~PngDecoder() { png_destroy_read_struct(&png_, &info_, nullptr); }

  bool read_header() {
    if (setjmp(png_jmpbuf(png_))) return false;
    png_set_read_fn(png_, &source_, take);
    // Everything but sizes, palette and pixels is passed over unread. Texts and profiles are compressed: a small file can
    // hold gigabytes of them.
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
    png_read_info(png_, info_);
    return true;
  }
  /// Of what read_header() found.
  long long height() const { return png_get_image_height(png_, info_); }
  long long width() const { return png_get_image_width(png_, info_); }
  int colour_type() const { return png_get_color_type(png_, info_); }
  int bit_depth() const { return png_get_bit_depth(png_, info_); }
  int bits_per_pixel() const { return bit_depth() * png_get_channels(png_, info_); }
  /// Interlaced files store seven pictures, of every eighth pixel and so on.
  int passes() const {
    return png_get_interlace_type(png_, info_) == PNG_INTERLACE_ADAM7 ? PNG_INTERLACE_ADAM7_PASSES : 1;
  }

  /// Rows come as three bytes a pixel: palettes looked up, grey tripled, 16 bits rounded to 8, alpha dropped.
  bool want_rgb() {
    if (setjmp(png_jmpbuf(png_))) return false;
    if (colour_type() == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png_);
    if (!(colour_type() & PNG_COLOR_MASK_COLOR)) {
      if (bit_depth() < 8) png_set_expand_gray_1_2_4_to_8(png_);
      png_set_gray_to_rgb(png_);
    }
    if (bit_depth() == 16) png_set_scale_16(png_);
    png_set_strip_alpha(png_);
    return begin_rows();
  }
  /// Rows come as the numbers that are stored: grey values or places in the palette, a byte each.
  bool want_numbers() {
    if (setjmp(png_jmpbuf(png_))) return false;
    png_set_packing(png_);
    return begin_rows();
  }
  std::size_t row_bytes() const { return png_get_rowbytes(png_, info_); }

  /// The next row of a pass; passes that have no pixels have no rows.
  bool read_row(png_bytep row) {
    if (setjmp(png_jmpbuf(png_))) return false;
    png_read_row(png_, row, nullptr);
    return true;
  }
  /// Reads the chunks after the pixels.
  bool read_end() {
    if (setjmp(png_jmpbuf(png_))) return false;
    png_read_end(png_, nullptr);
    return true;
  }

  const char* reason() const { return source_.reason; }

 private:
  struct Source {
    const std::uint8_t* at;
    std::size_t left;
    char reason[160];
  };

  bool begin_rows() {
    png_read_update_info(png_, info_);
    return true;
  }
  static void take(png_structp png, png_bytep to, std::size_t n) {
    Source& source = *static_cast<Source*>(png_get_io_ptr(png));
    if (n > source.left) png_error(png, "it ends too early");
    std::memcpy(to, source.at, n);
    source.at += n, source.left -= n;
  }
  static void failed(png_structp png, png_const_charp why) {
    std::snprintf(static_cast<Source*>(png_get_error_ptr(png))->reason, sizeof Source::reason, "%s", why);
    png_longjmp(png, 1);
  }

  Source source_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

inline void check_png(bool fine, const PngDecoder& png, const std::string& file) {
  check(fine, "{} cannot be decoded as PNG: {}; copy or download it again", file, png.reason());
}

/// Fills in the pixels, of `channels` bytes each.
template <class Picture>
void read_png_pixels(PngDecoder& png, const std::string& file, int channels, Picture& to) {
  const std::size_t expected = static_cast<std::size_t>(to.w) * channels;
  check(png.row_bytes() == expected, "{}: libpng gives {} bytes a row, expected {}", file, png.row_bytes(), expected);
  std::vector<std::uint8_t> row(expected);
  for (int pass = 0; pass < png.passes(); ++pass) {
    const bool whole = png.passes() == 1;
    const int first = whole ? 0 : PNG_PASS_START_ROW(pass), down = whole ? 1 : 1 << PNG_PASS_ROW_SHIFT(pass);
    const int left = whole ? 0 : PNG_PASS_START_COL(pass), step = whole ? 1 : 1 << PNG_PASS_COL_SHIFT(pass);
    for (int y = first; y < to.h && left < to.w; y += down) {
      check_png(png.read_row(row.data()), png, file);
      put_row(to, row.data(), {.y = y, .x = left, .step = step});
    }
  }
  check_png(png.read_end(), png, file);
}

inline void read_png_header(PngDecoder& png, const std::string& file, std::size_t bytes, long long limit) {
  check_png(png.read_header(), png, file);
  // Deflate makes at best 1032 bytes from one.
  check_claim(file, png.height(), png.width(), bytes, 8 * 1032 / png.bits_per_pixel(), limit);
}

}  // namespace detail

/// Grey, palette, RGB or RGBA of any depth → RGB. Transparency, texts and colour profiles are ignored. `file` is for
/// messages, `limit` in pixels.
inline RgbImage decode_png_image(std::span<const std::uint8_t> bytes, const std::string& file,
                                 long long limit = most_pixels) {
  detail::PngDecoder png(bytes);
  detail::read_png_header(png, file, bytes.size(), limit);
  detail::check_png(png.want_rgb(), png, file);
  RgbImage image{static_cast<int>(png.height()), static_cast<int>(png.width()), {}};
  image.pixels.resize(3 * image.plane());
  detail::read_png_pixels(png, file, 3, image);
  return image;
}

/// The numbers stored in a grey or palette PNG of at most 8 bits. A palette's colours are ignored.
inline LabelMap decode_png_labels(std::span<const std::uint8_t> bytes, const std::string& file,
                                  long long limit = most_pixels) {
  detail::PngDecoder png(bytes);
  detail::read_png_header(png, file, bytes.size(), limit);
  const int type = png.colour_type();
  check(type == PNG_COLOR_TYPE_GRAY || type == PNG_COLOR_TYPE_PALETTE,
        "{} holds colours{}; a label map is a grey or palette PNG with a class number per pixel (is this the coloured "
        "version for looking at?)",
        file, type & PNG_COLOR_MASK_ALPHA ? " or transparency" : "");
  check(png.bit_depth() <= 8,
        "{} has {} bits a pixel; a label map has at most 8 (is this the map of instances instead of classes?)", file,
        png.bit_depth());
  detail::check_png(png.want_numbers(), png, file);
  LabelMap labels{static_cast<int>(png.height()), static_cast<int>(png.width()), {}};
  labels.values.resize(static_cast<std::size_t>(labels.h) * labels.w);
  detail::read_png_pixels(png, file, 1, labels);
  return labels;
}

}  // namespace moecnn::data
