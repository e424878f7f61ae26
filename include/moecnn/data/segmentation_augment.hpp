#pragma once
/// \file
/// Augmentation of an image together with its label map: scale, crop, flip, colour jitter, normalisation.

#include "moecnn/core/size2.hpp"
#include "moecnn/data/augment.hpp"
#include "moecnn/data/resample.hpp"
#include "moecnn/data/segmentation_set.hpp"

#include <cmath>

namespace moecnn::data {

/// Changes of a pair. By default nothing but the normalisation. A size of 0 means "not asked for".
struct SegmentationAugment {
  Size2 crop = 0;                      ///< of what comes out, cut at a random place; 0: the whole picture
  Size2 base = 0;                      ///< pictures are first made this large; 0: as they are
  float min_scale = 1, max_scale = 1;  ///< then as many times larger, uniformly drawn
  float flip = 0;                      ///< probability of a horizontal flip
  float brightness = 0;                ///< as in AugmentOpts
  float contrast = 0;
  float saturation = 0;
  std::array<float, 3> mean{0.485f, 0.456f, 0.406f};  ///< of ImageNet's red, green and blue in [0, 1]
  std::array<float, 3> std{0.229f, 0.224f, 0.225f};

  /// For evaluation: pictures are made `size` large (0: left as they are) and normalised.
  static SegmentationAugment none(Size2 size = 0) { return {.base = size}; }
  /// For training: `crop` is cut out of pictures of random scale, flip and colours.
  static SegmentationAugment training(Size2 crop) {
    return {.crop = crop,
            .min_scale = 0.5f,
            .max_scale = 2,
            .flip = 0.5f,
            .brightness = 0.3f,
            .contrast = 0.3f,
            .saturation = 0.3f};
  }

  bool scales() const { return min_scale != 1 || max_scale != 1; }
  /// Of what comes out for a picture of size `own`.
  Size2 output(Size2 own) const { return crop != Size2(0) ? crop : base != Size2(0) ? base : own; }
};

inline void check_consistent(const SegmentationAugment& a) {
  const auto is_size = [](Size2 s) { return s == Size2(0) || (s.h > 0 && s.w > 0); };
  check(is_size(a.crop) && is_size(a.base), "crop {} × {}, base size {} × {}; expected two positive numbers, or 0",
        a.crop.h, a.crop.w, a.base.h, a.base.w);
  check(a.min_scale > 0 && a.max_scale >= a.min_scale && a.max_scale <= 100,
        "pictures are to be scaled by {} to {}; expected a range within (0, 100]", a.min_scale, a.max_scale);
  check(!a.scales() || a.crop != Size2(0), "pictures are scaled at random, so they need the size of a crop");
}

/// The changes to one pair: it is resized to `scaled`, a window `out` is cut at (top, left), which are negative where
/// padding comes first, and mirrored if colour.flip.
struct SegmentationCut {
  Size2 scaled = 1, out = 1;
  int top = 0, left = 0;
  Augmentation colour = {};
};

/// Decides for pair `index`, `own` large; a pure function of its arguments. `rng` is Rng(seed, Purpose::augment, epoch).
inline SegmentationCut draw_cut(const SegmentationAugment& opts, const Rng& rng, std::uint64_t index, Size2 own) {
  SegmentationCut cut;
  cut.colour = draw_augmentation({.flip = opts.flip,
                                  .brightness = opts.brightness,
                                  .contrast = opts.contrast,
                                  .saturation = opts.saturation,
                                  .crop_pad = 0},
                                 rng, index);
  Draws draw(rng, index, 1u << 16);  // lanes that the line above does not reach
  const float scale = draw.uniform(opts.min_scale, opts.max_scale);
  const Size2 base = opts.base != Size2(0) ? opts.base : own;
  const auto scaled = [&](int side) {
    return std::max(1, static_cast<int>(std::lround(scale * static_cast<float>(side))));
  };
  cut.scaled = {scaled(base.h), scaled(base.w)};
  cut.out = opts.output(own);
  // Anywhere inside; of two sizes the smaller lies within the larger.
  const auto offset = [&](int room) { return room >= 0 ? draw.below(room + 1) : -draw.below(1 - room); };
  cut.top = offset(cut.scaled.h - cut.out.h);
  cut.left = offset(cut.scaled.w - cut.out.w);
  return cut;
}

/// Memory that one thread reuses.
struct CutScratch {
  Taps rows, columns;
  std::vector<int> nearest_rows, nearest_columns;
  std::vector<float> line;
};

/// Cuts `sample` into `image` (3 × out.h × out.w, normalised; padding is the mean colour, 0) and `labels` (out.h × out.w;
/// padding is ignore_label), which may be nullptr. Jitter sees the picture without its padding. Allocates nothing once
/// `scratch` is large enough.
inline void apply_cut(const SegmentationSample& sample, const SegmentationCut& cut, const SegmentationAugment& opts,
                      float* image, int* labels, CutScratch& scratch) {
  const Size2 out = cut.out;
  const bool flip = cut.colour.flip;
  const int y0 = std::max(0, -cut.top), x0 = std::max(0, -cut.left);
  const int h = std::min(out.h, cut.scaled.h - cut.top) - y0, w = std::min(out.w, cut.scaled.w - cut.left) - x0;
  const AxisPiece rows{sample.image.h, cut.scaled.h, cut.top + y0, h};
  const AxisPiece columns{sample.image.w, cut.scaled.w, cut.left + x0, w, flip};
  const detail::Placement place{{h, w}, out, y0, flip ? out.w - x0 - w : x0};

  make_taps(scratch.rows, rows);
  make_taps(scratch.columns, columns);
  const int plane = h * w;
  for (int c = 0; c < 3; ++c)
    resample(sample.image.pixels.data() + c * sample.image.plane(), sample.image.w, scratch.rows, scratch.columns,
             1 / 255.0f, image + static_cast<std::size_t>(c) * plane, scratch.line);
  for (Jitter step : cut.colour.order) detail::jitter(image, plane, step, cut.colour);
  for (int c = 0; c < 3; ++c) {
    float* v = image + static_cast<std::size_t>(c) * plane;
    const float mean = opts.mean[c], inverse = 1 / opts.std[c];
    for (int i = 0; i < plane; ++i) v[i] = (v[i] - mean) * inverse;
  }
  detail::spread(image, place);
  if (!labels) return;

  make_nearest(scratch.nearest_rows, rows);
  make_nearest(scratch.nearest_columns, columns);
  if (place.inner != place.outer) std::fill_n(labels, static_cast<std::size_t>(out.h) * out.w, int{ignore_label});
  for (int y = 0; y < h; ++y) {
    const std::uint8_t* from =
        sample.labels.values.data() + static_cast<std::size_t>(scratch.nearest_rows[y]) * sample.labels.w;
    int* to = labels + static_cast<std::size_t>(place.y + y) * out.w + place.x;
    for (int x = 0; x < w; ++x) to[x] = from[scratch.nearest_columns[x]];
  }
}

}  // namespace moecnn::data
