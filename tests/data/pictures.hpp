#pragma once
// Writes picture files for tests, with libpng and libjpeg.

#include <png.h>

#include <cstdio>

#include <jpeglib.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

namespace pictures {

struct PngOpts {
  int type = PNG_COLOR_TYPE_RGB, depth = 8;
  bool interlaced = false;
  std::vector<png_color> palette = {};
};

/// `rows` are in libpng's format: h rows of packed pixels, 16-bit values with the high byte first.
inline std::string png(int h, int w, const std::vector<std::uint8_t>& rows, const PngOpts& opts = {}) {
  std::string out;
  png_structp file = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(file);
  png_set_write_fn(
      file, &out,
      [](png_structp p, png_bytep data, std::size_t n) {
        static_cast<std::string*>(png_get_io_ptr(p))->append(reinterpret_cast<const char*>(data), n);
      },
      [](png_structp) {});
  png_set_IHDR(file, info, static_cast<png_uint_32>(w), static_cast<png_uint_32>(h), opts.depth, opts.type,
               opts.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  if (!opts.palette.empty()) png_set_PLTE(file, info, opts.palette.data(), static_cast<int>(opts.palette.size()));
  png_write_info(file, info);
  const std::size_t stride = png_get_rowbytes(file, info);
  std::vector<png_bytep> pointers;
  for (int y = 0; y < h; ++y) pointers.push_back(const_cast<png_bytep>(rows.data() + y * stride));
  png_set_interlace_handling(file);
  png_write_image(file, pointers.data());
  png_write_end(file, nullptr);
  png_destroy_write_struct(&file, &info);
  return out;
}

/// A chunk of a PNG file: length, four letters, content, checksum.
inline std::string png_chunk(const std::string& letters, const std::string& content) {
  const auto number = [](std::uint32_t n) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(n >> shift);
    return bytes;
  };
  std::uint32_t crc = 0xffffffff;
  for (char c : letters + content) {
    crc ^= static_cast<std::uint8_t>(c);
    for (int b = 0; b < 8; ++b) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return number(static_cast<std::uint32_t>(content.size())) + letters + content + number(~crc);
}

/// Content of a zTXt chunk that is `size` letters long when it is inflated: a name, a zero, the method and zlib's stream,
/// which is also the form of an iCCP chunk.
inline std::string deflated_text(std::size_t size) {
  std::string out, letters(size, 'a');
  png_structp file = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(file);
  png_set_write_fn(
      file, &out,
      [](png_structp p, png_bytep data, std::size_t n) {
        static_cast<std::string*>(png_get_io_ptr(p))->append(reinterpret_cast<const char*>(data), n);
      },
      [](png_structp) {});
  png_set_IHDR(file, info, 1, 1, 8, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  char key[] = "name";
  png_text text{};
  text.compression = PNG_TEXT_COMPRESSION_zTXt;
  text.key = key, text.text = letters.data(), text.text_length = letters.size();
  png_set_text(file, info, &text, 1);
  png_write_info(file, info);
  png_destroy_write_struct(&file, &info);
  const std::size_t at = out.find("zTXt");
  std::size_t length = 0;
  for (int i = 4; i >= 1; --i) length = length << 8 | static_cast<std::uint8_t>(out[at - i]);
  return out.substr(at + 4, length);
}

/// A grey PNG of one byte per pixel.
inline std::string label_png(int h, int w, const std::vector<std::uint8_t>& values) {
  return png(h, w, values, {.type = PNG_COLOR_TYPE_GRAY});
}

struct JpegOpts {
  int quality = 95;
  bool progressive = false, scan_per_colour = false, full_colours = false;  ///< no subsampling of colours
  J_COLOR_SPACE space = JCS_RGB;                                            ///< of `pixels`, interleaved
};

inline std::string jpeg(int h, int w, const std::vector<std::uint8_t>& pixels, const JpegOpts& opts = {}) {
  jpeg_compress_struct file{};
  jpeg_error_mgr errors{};
  file.err = jpeg_std_error(&errors);
  jpeg_create_compress(&file);
  unsigned char* memory = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&file, &memory, &size);
  const int channels = opts.space == JCS_GRAYSCALE ? 1 : opts.space == JCS_CMYK ? 4 : 3;
  file.image_width = static_cast<JDIMENSION>(w), file.image_height = static_cast<JDIMENSION>(h);
  file.input_components = channels, file.in_color_space = opts.space;
  jpeg_set_defaults(&file);
  jpeg_set_quality(&file, opts.quality, TRUE);
  if (opts.progressive) jpeg_simple_progression(&file);
  if (opts.full_colours) file.comp_info[0].h_samp_factor = file.comp_info[0].v_samp_factor = 1;
  jpeg_scan_info scans[3]{};
  for (int c = 0; c < 3; ++c) scans[c] = {1, {c}, 0, 63, 0, 0};
  if (opts.scan_per_colour) file.scan_info = scans, file.num_scans = 3;
  jpeg_start_compress(&file, TRUE);
  for (int y = 0; y < h; ++y) {
    JSAMPROW row = const_cast<JSAMPROW>(pixels.data() + static_cast<std::size_t>(y) * w * channels);
    jpeg_write_scanlines(&file, &row, 1);
  }
  jpeg_finish_compress(&file);
  std::string out(reinterpret_cast<const char*>(memory), size);
  jpeg_destroy_compress(&file);
  std::free(memory);
  return out;
}

/// Smooth interleaved colours: red grows to the right, green downwards, blue is 60.
inline std::vector<std::uint8_t> ramp(int h, int w) {
  std::vector<std::uint8_t> pixels;
  for (int y = 0; y < h; ++y)
    for (int x = 0; x < w; ++x)
      for (int v : {255 * x / w, 255 * y / h, 60}) pixels.push_back(static_cast<std::uint8_t>(v));
  return pixels;
}

/// Byte i is (7 i² + 29 i + 13) mod 256.
inline std::vector<std::uint8_t> pattern(std::size_t size) {
  std::vector<std::uint8_t> v(size);
  for (std::size_t i = 0; i < size; ++i) v[i] = static_cast<std::uint8_t>(i * i * 7 + i * 29 + 13);
  return v;
}

inline std::vector<std::uint8_t> bytes(const std::string& text) { return {text.begin(), text.end()}; }

}  // namespace pictures
