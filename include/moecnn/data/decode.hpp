#pragma once
/// \file
/// Picture files → pixels. What a file is, its first bytes tell, not its name.

#include "moecnn/data/decode_jpeg.hpp"
#include "moecnn/data/decode_png.hpp"

#include <filesystem>
#include <fstream>

namespace moecnn::data {

enum class PictureFormat { png, jpeg, unknown };

inline PictureFormat format_of(std::span<const std::uint8_t> bytes) {
  static constexpr std::uint8_t png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'}, jpeg[] = {0xff, 0xd8, 0xff};
  const auto begins_with = [&](std::span<const std::uint8_t> mark) {
    return bytes.size() >= mark.size() && std::equal(mark.begin(), mark.end(), bytes.begin());
  };
  return begins_with(png) ? PictureFormat::png : begins_with(jpeg) ? PictureFormat::jpeg : PictureFormat::unknown;
}

/// All bytes of a regular file of at most 1 GB. Throws Error naming it.
inline std::vector<std::uint8_t> read_bytes(const std::filesystem::path& path) {
  const std::string file = path.string();
  std::error_code error;
  const auto kind = std::filesystem::status(path, error).type();
  check(kind != std::filesystem::file_type::not_found, "{} is not there", file);
  check(kind == std::filesystem::file_type::regular, "{} is not a regular file{}{}", file, error ? ": " : "",
        error ? error.message() : "");
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  check(!error, "cannot examine {}: {}", file, error.message());
  check(size <= 1u << 30, "{} has {} MB; no picture that this can read is larger than 1024", file, size >> 20);
  std::ifstream in(path, std::ios::binary);
  check(in.is_open(), "cannot open {}; check its permissions", file);
  std::vector<std::uint8_t> bytes(size);
  in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size));
  check(static_cast<std::uintmax_t>(in.gcount()) == size, "{} has {} bytes, but only {} could be read", file, size,
        in.gcount());
  return bytes;
}

/// Colour image from a PNG or JPEG in memory; `file` is for messages, `limit` in pixels.
inline RgbImage decode_image(std::span<const std::uint8_t> bytes, const std::string& file,
                             long long limit = most_pixels) {
  check(!bytes.empty(), "{} is empty; copy or download it again", file);
  switch (format_of(bytes)) {
    case PictureFormat::png: return decode_png_image(bytes, file, limit);
    case PictureFormat::jpeg: return decode_jpeg_image(bytes, file, limit);
    case PictureFormat::unknown: break;
  }
  fail("{} is neither PNG nor JPEG; convert it", file);
}

/// Label map from a PNG in memory.
inline LabelMap decode_label_map(std::span<const std::uint8_t> bytes, const std::string& file,
                                 long long limit = most_pixels) {
  check(!bytes.empty(), "{} is empty; copy or download it again", file);
  const PictureFormat format = format_of(bytes);
  check(format != PictureFormat::jpeg, "{} is a JPEG, which changes values; a label map is a PNG", file);
  check(format == PictureFormat::png, "{} is no PNG; convert it", file);
  return decode_png_labels(bytes, file, limit);
}

inline RgbImage read_image(const std::filesystem::path& path, long long limit = most_pixels) {
  return decode_image(read_bytes(path), path.string(), limit);
}
inline LabelMap read_label_map(const std::filesystem::path& path, long long limit = most_pixels) {
  return decode_label_map(read_bytes(path), path.string(), limit);
}

}  // namespace moecnn::data
