#pragma once
/// \file
/// Pictures of photographs inside the page: pixels → JPEG (libjpeg-turbo), a fifth of the bytes of PNG.

#include "moecnn/data/jpeg_errors.hpp"
#include "moecnn/report/png.hpp"

#include <cstdlib>

namespace moecnn::report {

namespace detail {

/// write() answers false on an error, see JpegErrors.
class JpegEncoder {
 public:
  JpegEncoder() { jpeg_.err = errors_.prepare(); }
  JpegEncoder(const JpegEncoder&) = delete;
  JpegEncoder& operator=(const JpegEncoder&) = delete;
  ~JpegEncoder() {
    jpeg_destroy_compress(&jpeg_);
    std::free(bytes_);
  }

  bool write(const Image& image, int quality) {
    if (setjmp(errors_.back)) return false;
    jpeg_create_compress(&jpeg_);
    jpeg_mem_dest(&jpeg_, &bytes_, &size_);
    jpeg_.image_width = static_cast<JDIMENSION>(image.width);
    jpeg_.image_height = static_cast<JDIMENSION>(image.height);
    jpeg_.input_components = 3;
    jpeg_.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg_);
    jpeg_set_quality(&jpeg_, quality, TRUE);
    jpeg_start_compress(&jpeg_, TRUE);
    while (jpeg_.next_scanline < jpeg_.image_height) {
      // libjpeg's type wants to write; it does not.
      auto* row = const_cast<JSAMPROW>(image.pixels.data()) + 3 * std::size_t{jpeg_.next_scanline} * jpeg_.image_width;
      jpeg_write_scanlines(&jpeg_, &row, 1);
    }
    jpeg_finish_compress(&jpeg_);
    return true;
  }

  std::span<const std::uint8_t> bytes() const { return {bytes_, size_}; }
  const char* reason() const { return errors_.reason; }

 private:
  jpeg_compress_struct jpeg_{};
  data::detail::JpegErrors errors_{};
  unsigned char* bytes_ = nullptr;
  unsigned long size_ = 0;
};

}  // namespace detail

/// The bytes of a JPEG file of an RGB image; `quality` from 1 to 100.
inline std::vector<std::uint8_t> encode_jpeg(const Image& image, int quality = 88) {
  check_image(image);
  check(image.channels == 3, "a JPEG file has no transparency: an image of {} channels was given, expected 3",
        image.channels);
  check(quality >= 1 && quality <= 100, "the quality of a JPEG file is {}; expected 1 to 100", quality);
  detail::JpegEncoder jpeg;
  check(jpeg.write(image, quality), "libjpeg cannot encode an image of {}x{}: {}", image.width, image.height,
        jpeg.reason());
  return {jpeg.bytes().begin(), jpeg.bytes().end()};
}

/// Writes a JPEG file, whole or not at all; the folder must exist.
inline void write_jpeg(const Image& image, const std::filesystem::path& path) {
  const auto bytes = encode_jpeg(image);
  io::AtomicFile file(path);
  file.write({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  file.commit();
}

/// An `<img>` that carries the bytes of a JPEG file. It fills its figure, and a click shows it as large as the window, and
/// back.
inline Markup zoomable(std::span<const std::uint8_t> jpeg, std::string_view alt) {
  return {
      formatted("<label class=\"zoom\"><input type=\"checkbox\" aria-label=\"enlarge\"/><img alt=\"{}\" "
                "src=\"data:image/jpeg;base64,{}\"/></label>",
                escape(alt), base64(jpeg))};
}

}  // namespace moecnn::report
