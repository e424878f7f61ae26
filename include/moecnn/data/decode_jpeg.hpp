#pragma once
/// \file
/// JPEG (libjpeg-turbo) → colour image.

#include "moecnn/data/jpeg_errors.hpp"
#include "moecnn/data/rgb_image.hpp"

#include <jerror.h>

#include <algorithm>
#include <span>
#include <string>

namespace moecnn::data {

namespace detail {

/// Each function that calls libjpeg is one of this class and answers false on an error, see JpegErrors.
class JpegDecoder {
 public:
  JpegDecoder() {
    jpeg_.err = errors_.prepare();
    errors_.manager.emit_message = warned;
    progress_.progress_monitor = count_scans;
  }
  JpegDecoder(const JpegDecoder&) = delete;
  JpegDecoder& operator=(const JpegDecoder&) = delete;
  ~JpegDecoder() { jpeg_destroy_decompress(&jpeg_); }

  /// `memory` in bytes is all that libjpeg may allocate; a progressive file keeps 2 bytes for each value of the picture.
  bool read_header(std::span<const std::uint8_t> bytes, long memory) {
    if (setjmp(errors_.back)) return false;
    jpeg_create_decompress(&jpeg_);
    jpeg_.mem->max_memory_to_use = memory;
    jpeg_.progress = &progress_;
    jpeg_mem_src(&jpeg_, bytes.data(), static_cast<unsigned long>(bytes.size()));
    jpeg_read_header(&jpeg_, TRUE);
    jpeg_.out_color_space = JCS_RGB;
    return true;
  }
  /// Of what read_header() found.
  long long height() const { return jpeg_.image_height; }
  long long width() const { return jpeg_.image_width; }
  bool is_cmyk() const { return jpeg_.jpeg_color_space == JCS_CMYK || jpeg_.jpeg_color_space == JCS_YCCK; }

  /// Fills in height() × width() pixels, with `row` for width() × 3 bytes, and reads on to the end of the picture.
  bool read_pixels(RgbImage& image, std::uint8_t* row) {
    if (setjmp(errors_.back)) return false;
    jpeg_start_decompress(&jpeg_);
    while (jpeg_.output_scanline < jpeg_.output_height) {
      const int y = static_cast<int>(jpeg_.output_scanline);
      jpeg_read_scanlines(&jpeg_, &row, 1);
      put_row(image, row, {.y = y});
    }
    jpeg_finish_decompress(&jpeg_);
    return true;
  }

  const char* reason() const { return errors_.reason; }
  /// Whether the last failure was one of memory.
  bool needs_memory() const {
    return errors_.manager.msg_code == JERR_NO_BACKING_STORE || errors_.manager.msg_code == JERR_OUT_OF_MEMORY;
  }

 private:
  /// libjpeg goes on after damage, with grey or smeared blocks, and only warns (level -1). Bytes between markers and
  /// unusual Adobe markers are no damage: cameras write them.
  static void warned(j_common_ptr jpeg, int level) {
    const int code = jpeg->err->msg_code;
    if (level == -1 && code != JWRN_EXTRANEOUS_DATA && code != JWRN_ADOBE_XFORM) JpegErrors::failed(jpeg);
  }
  /// A small file can ask for thousands of passes over a large picture. Usual are 1 to 12.
  static void count_scans(j_common_ptr jpeg) {
    constexpr int most = 100;
    if (reinterpret_cast<j_decompress_ptr>(jpeg)->input_scan_number <= most) return;
    JpegErrors& errors = *reinterpret_cast<JpegErrors*>(jpeg->err);
    errors.manager.msg_code = 0;
    std::snprintf(errors.reason, sizeof errors.reason, "more than %d scans", most);
    std::longjmp(errors.back, 1);
  }

  jpeg_decompress_struct jpeg_{};
  jpeg_progress_mgr progress_{};
  JpegErrors errors_{};
};

}  // namespace detail

/// Grey or colour, baseline or progressive → RGB. Notes about orientation and colour profiles are ignored. `file` is for
/// messages, `limit` in pixels; libjpeg may allocate 3 bytes for each of them. A file with damaged or missing data is an
/// error, although much of its picture could be shown.
inline RgbImage decode_jpeg_image(std::span<const std::uint8_t> bytes, const std::string& file,
                                  long long limit = most_pixels) {
  detail::JpegDecoder jpeg;
  const long memory = static_cast<long>(std::clamp(limit, 0ll, 1ll << 40) * 3 + (16ll << 20));
  check(jpeg.read_header(bytes, memory), "{} cannot be decoded as JPEG: {}; copy or download it again", file,
        jpeg.reason());
  // At best a block of 64 pixels takes one bit.
  detail::check_claim(file, jpeg.height(), jpeg.width(), bytes.size(), 8 * 64, limit);
  check(!jpeg.is_cmyk(), "{} is a JPEG for printing (CMYK); save it with red, green and blue", file);
  RgbImage image{static_cast<int>(jpeg.height()), static_cast<int>(jpeg.width()), {}};
  image.pixels.resize(3 * image.plane());
  std::vector<std::uint8_t> row(static_cast<std::size_t>(image.w) * 3);
  const bool read = jpeg.read_pixels(image, row.data());
  check(read || !jpeg.needs_memory(),
        "{} is a progressive JPEG of {} × {} pixels, which takes more memory than a limit of {} pixels allows; save it "
        "as "
        "baseline JPEG, scale it down, or raise the limit",
        file, image.w, image.h, limit);
  check(read, "{} cannot be decoded as JPEG: {}; copy or download it again", file, jpeg.reason());
  return image;
}

}  // namespace moecnn::data
