#pragma once
/// \file
/// Street scenes as pictures: photos, label maps in the colours of their classes, and one laid over the other.

#include "moecnn/core/size2.hpp"
#include "moecnn/data/resample.hpp"
#include "moecnn/data/segmentation_set.hpp"
#include "moecnn/report/png.hpp"

namespace moecnn::report {

using data::Rgb;

/// The colour of pixels that have no class.
inline constexpr Rgb no_class_colour{24, 24, 24};

namespace detail {

inline Image blank(Size2 size) {
  check(size.h >= 1 && size.w >= 1, "a picture of {} × {} pixels; expected at least one", size.w, size.h);
  Image image{.width = size.w, .height = size.h};
  image.pixels.resize(std::size_t{3} * size.h * size.w);
  return image;
}

/// Lays `colour` over a pixel: opacity 0 leaves it, 1 hides it.
inline void blend(std::uint8_t* pixel, Rgb colour, double opacity) {
  for (std::size_t c = 0; c < 3; ++c) {
    const double was = pixel[c];
    pixel[c] = static_cast<std::uint8_t>(std::lround(was + opacity * (colour[c] - was)));
  }
}

/// Calls `paint(pixel, label)` for each pixel of the picture with the label at its place.
template <class Paint>
void paint_labels(Image& image, const data::LabelMap& labels, const Paint& paint) {
  std::vector<int> rows, columns;
  data::make_nearest(rows, {labels.h, image.height, 0, image.height});
  data::make_nearest(columns, {labels.w, image.width, 0, image.width});
  std::uint8_t* pixel = image.pixels.data();
  for (int y : rows)
    for (int x : columns) {
      paint(pixel, labels.values[static_cast<std::size_t>(y) * labels.w + x]);
      pixel += 3;
    }
}

inline void check_labels(const data::LabelMap& labels) {
  check(labels.h >= 1 && labels.w >= 1 && labels.values.size() == static_cast<std::size_t>(labels.h) * labels.w,
        "a label map of {} × {} pixels holds {} values", labels.w, labels.h, labels.values.size());
}

}  // namespace detail

/// `own`, made at most `width` pixels wide, in proportion.
inline Size2 fit_width(Size2 own, int width) {
  if (own.w <= width) return own;
  return {std::max(1, static_cast<int>(std::lround(static_cast<double>(own.h) * width / own.w))), width};
}

/// A photo of the given size; 0: its own. Each colour is a mean of what was there.
inline Image photo_picture(const data::RgbImage& photo, Size2 size = 0) {
  if (size == Size2(0)) size = {photo.h, photo.w};
  Image image = detail::blank(size);
  data::Taps rows, columns;
  data::make_taps(rows, {photo.h, size.h, 0, size.h});
  data::make_taps(columns, {photo.w, size.w, 0, size.w});
  std::vector<float> plane(static_cast<std::size_t>(size.h) * size.w), line;
  for (std::size_t c = 0; c < 3; ++c) {
    data::resample(photo.pixels.data() + c * photo.plane(), photo.w, rows, columns, 1, plane.data(), line);
    for (std::size_t i = 0; i < plane.size(); ++i)
      image.pixels[3 * i + c] = static_cast<std::uint8_t>(std::clamp(std::lround(plane[i]), 0l, 255l));
  }
  return image;
}

/// Each pixel in the colour of its class; what is no class is nearly black.
inline Image label_picture(const data::LabelMap& labels, std::span<const Rgb> palette, Size2 size = 0) {
  detail::check_labels(labels);
  Image image = detail::blank(size == Size2(0) ? Size2(labels.h, labels.w) : size);
  detail::paint_labels(image, labels, [&](std::uint8_t* pixel, int label) {
    std::copy_n(label < static_cast<int>(palette.size()) ? palette[label].data() : no_class_colour.data(), 3, pixel);
  });
  return image;
}

/// The colours of the classes laid over a photo (RGB, of any size); where there is no class the photo stays as it is.
inline Image overlay(Image photo, const data::LabelMap& labels, std::span<const Rgb> palette, double opacity = 0.55) {
  detail::check_labels(labels);
  check_image(photo);
  check(photo.channels == 3, "labels are laid over RGB pictures, not over one with {} channels", photo.channels);
  detail::paint_labels(photo, labels, [&](std::uint8_t* pixel, int label) {
    if (label < static_cast<int>(palette.size())) detail::blend(pixel, palette[label], opacity);
  });
  return photo;
}

}  // namespace moecnn::report
