#pragma once
// Pixels of small pictures.
#include "moecnn/data/colour.hpp"
#include "moecnn/report/png.hpp"

inline moecnn::data::Rgb pixel_at(const moecnn::report::Image& image, int y, int x) {
  const std::uint8_t* p = &image.pixels[3 * (static_cast<std::size_t>(y) * image.width + x)];
  return {p[0], p[1], p[2]};
}
