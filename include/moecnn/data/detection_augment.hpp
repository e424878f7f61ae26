#pragma once
/// \file
/// From a picture with boxes to the input of a detector: flipped, resized, normalised, padded.

#include "moecnn/data/detection_set.hpp"
#include "moecnn/data/draws.hpp"
#include "moecnn/data/resample.hpp"

namespace moecnn::data {

/// By default pictures keep their size, and are normalised and padded to the next multiple of 32.
struct DetectionAugment {
  int side = 0;           ///< the shorter side is made that long; 0: pictures keep their size
  int max_side = 0;       ///< the longer one at most that long, at the cost of the shorter; 0: no limit
  float flip = 0;         ///< probability of a horizontal flip
  int multiple = 32;      ///< sides are padded to multiples of it, on the right and below
  bool more = false;      ///< a side that is a multiple already gets one more
  double least_side = 1;  ///< of a box within its picture, in the file's pixels; smaller ones are left out in training
  std::array<float, 3> mean{0.485f, 0.456f, 0.406f};  ///< of ImageNet's red, green and blue in [0, 1]
  std::array<float, 3> std{0.229f, 0.224f, 0.225f};

  /// The recipe of S. Pavlitskaya et al. for COCO (https://arxiv.org/abs/2204.10598), as their code has it; `training` with
  /// flips.
  static constexpr DetectionAugment paper(bool training = true) {
    return {.side = 608, .max_side = 1024, .flip = training ? 0.5f : 0.0f, .more = true};
  }
  /// The same for pictures of other sizes, without more padding than needed.
  static constexpr DetectionAugment training(int side = 608, int max_side = 1024) {
    return {.side = side, .max_side = max_side, .flip = 0.5f};
  }
  static constexpr DetectionAugment test(int side = 608, int max_side = 1024) {
    return {.side = side, .max_side = max_side};
  }
};

inline void check_consistent(const DetectionAugment& a) {
  constexpr int longest = 1 << 14;
  check(a.side >= 0 && a.side <= longest && a.max_side >= 0 && a.max_side <= longest,
        "pictures are to have a shorter side of {} and a longer one of at most {} pixels; expected 0 to {}", a.side,
        a.max_side, longest);
  check(a.max_side == 0 || a.max_side >= a.side, "the longer side of pictures is to be at most {}, the shorter one {}",
        a.max_side, a.side);
  check(a.multiple >= 1 && a.multiple <= 1024, "pictures are to be padded to multiples of {}; expected 1 to 1024",
        a.multiple);
  check(a.flip >= 0 && a.flip <= 1, "pictures are to be flipped with probability {}; expected 0 to 1", a.flip);
  check(a.least_side >= 0, "boxes are to have sides of at least {}; expected 0 or more", a.least_side);
  for (const float s : a.std) check(s > 0, "a standard deviation is {}; expected more than 0", s);
}

/// How a picture lies in the input of a network: made `size` large at the left upper corner. Boxes are `scale` times as
/// large as in the file.
struct PicturePlace {
  Size2 own = 1;   ///< of the file
  Size2 size = 1;  ///< after resizing
  double scale = 1;
  bool flip = false;

  /// A box of the input, in pixels of the file.
  Box to_file(Box box) const {
    const float s = static_cast<float>(1 / scale), w = static_cast<float>(own.w);
    box = {box.x1 * s, box.y1 * s, box.x2 * s, box.y2 * s};
    return flip ? Box{w - box.x2, box.y1, w - box.x1, box.y2} : box;
  }
};

/// Where a picture `own` large comes to lie. One scale for both sides; sizes are rounded, halves to even ones.
inline PicturePlace place_picture(const DetectionAugment& a, Size2 own) {
  PicturePlace place{.own = own, .size = own};
  const double shorter = std::min(own.h, own.w), longer = std::max(own.h, own.w);
  if (a.side > 0) place.scale = a.side / shorter;
  if (a.max_side > 0 && longer * place.scale > a.max_side) place.scale = a.max_side / longer;
  const auto scaled = [&](int side) { return std::max(1, static_cast<int>(std::nearbyint(side * place.scale))); };
  place.size = {scaled(own.h), scaled(own.w)};
  return place;
}

/// The least size that holds a picture and is made of multiples.
inline Size2 padded_size(const DetectionAugment& a, Size2 size) {
  const auto padded = [&](int side) { return ((a.more ? side : side - 1) / a.multiple + 1) * a.multiple; };
  return {padded(size.h), padded(size.w)};
}

/// A picture that does not fit into `room` is made smaller until it does.
inline void shrink_to(PicturePlace& place, Size2 room) {
  if (place.size.h <= room.h && place.size.w <= room.w) return;
  place.scale = std::min(static_cast<double>(room.h) / place.own.h, static_cast<double>(room.w) / place.own.w);
  const auto scaled = [&](int side, int most) {
    return std::clamp(static_cast<int>(std::nearbyint(side * place.scale)), 1, most);
  };
  place.size = {scaled(place.own.h, room.h), scaled(place.own.w, room.w)};
}

/// Whether picture `index` is flipped in an epoch; `rng` is Rng(seed, Purpose::augment, epoch).
inline bool draw_flip(const DetectionAugment& a, const Rng& rng, std::uint64_t index) {
  return a.flip > 0 && Draws(rng, index).uniform(0, 1) < a.flip;
}

/// Objects of picture i for training, in pixels of the input: clipped to the picture; crowds and those that are too small
/// are left out. `area` stays that of the annotation.
inline void place_objects(const DetectionSet& set, int i, const PicturePlace& place, const DetectionAugment& a,
                          std::vector<Object>& out) {
  out.clear();
  const auto boxes = set.boxes_of(i);
  const auto objects = set.objects_of(i);
  const double w = place.own.w, h = place.own.h, s = place.scale;
  for (std::size_t b = 0; b < boxes.size(); ++b) {
    if (objects[b].crowd) continue;
    double x1 = std::clamp(boxes[b].x, 0.0, w), x2 = std::clamp(boxes[b].x + boxes[b].w, 0.0, w);
    const double y1 = std::clamp(boxes[b].y, 0.0, h), y2 = std::clamp(boxes[b].y + boxes[b].h, 0.0, h);
    // The difference of two coordinates may be a little less than the side that the file has.
    const double least = a.least_side - 1e-9;
    if (!(x2 > x1 && y2 > y1 && x2 - x1 >= least && y2 - y1 >= least)) continue;
    if (place.flip) x1 = w - std::exchange(x2, w - x1);
    Object object = objects[b];
    object.box = {static_cast<float>(x1 * s), static_cast<float>(y1 * s), static_cast<float>(x2 * s),
                  static_cast<float>(y2 * s)};
    out.push_back(object);
  }
}

/// Memory that one thread reuses.
struct PictureScratch {
  Taps rows, columns;
  std::vector<float> line;
};

/// The input made of a picture: [3, padded], normalised; padding is 0, the mean colour.
inline void apply_place(const RgbImage& image, const PicturePlace& place, const DetectionAugment& a, Size2 padded,
                        float* out, PictureScratch& scratch) {
  const auto [h, w] = place.size;
  make_taps(scratch.rows, {.in = image.h, .out = h, .begin = 0, .count = h});
  make_taps(scratch.columns, {.in = image.w, .out = w, .begin = 0, .count = w, .mirrored = place.flip});
  const std::size_t plane = static_cast<std::size_t>(h) * w;
  for (std::size_t c = 0; c < 3; ++c) {
    float* v = out + c * plane;
    resample(image.pixels.data() + c * image.plane(), image.w, scratch.rows, scratch.columns, 1 / 255.0f, v,
             scratch.line);
    const float mean = a.mean[c], inverse = 1 / a.std[c];
    for (std::size_t i = 0; i < plane; ++i) v[i] = (v[i] - mean) * inverse;
  }
  detail::spread(out, {place.size, padded, 0, 0});
}

/// A network's input for one picture, as a loader gives it in a test.
struct DetectionInput {
  std::vector<float> image;  ///< 3 × size
  Size2 size = 1;
  PicturePlace place = {};
};
inline DetectionInput detection_input(const RgbImage& image, const DetectionAugment& a) {
  check_consistent(a);
  check(image.h > 0 && image.w > 0 && image.pixels.size() == 3 * image.plane(),
        "a picture of {} × {} pixels with {} values was given, expected 3 values per pixel", image.w, image.h,
        image.pixels.size());
  DetectionInput input{.image = {}, .place = place_picture(a, {image.h, image.w})};
  input.size = padded_size(a, input.place.size);
  input.image.resize(3 * static_cast<std::size_t>(input.size.h) * input.size.w);
  PictureScratch scratch;
  apply_place(image, input.place, a, input.size, input.image.data(), scratch);
  return input;
}

}  // namespace moecnn::data
