#pragma once
/// \file
/// Labelled images in memory.

#include "moecnn/core/error.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace moecnn::data {

enum class Split { train, val, test };

constexpr const char* name_of(Split split) {
  return split == Split::train ? "train" : split == Split::val ? "val" : "test";
}

/// n colour images of one size with a class each and, where the data has them, a family (a class of classes).
struct ImageSet {
  int n = 0, h = 0, w = 0, channels = 3;
  std::vector<std::uint8_t> pixels;  ///< n × 3 × h × w: all red, then all green, then all blue of an image
  std::vector<int> labels;           ///< n, in [0, classes())
  std::vector<int> families;         ///< n, in [0, family_names.size()); empty when there are no families
  std::vector<std::string> class_names, family_names;
  std::string name;  ///< for titles and messages: "CIFAR-100 train"

  int classes() const { return static_cast<int>(class_names.size()); }
  std::size_t image_bytes() const { return std::size_t(channels) * h * w; }
  const std::uint8_t* image(int i) const { return pixels.data() + i * image_bytes(); }
};

/// Throws Error unless the sizes fit together and every label is in range.
inline void check_consistent(const ImageSet& set) {
  const auto size = [](const auto& v) { return v.size(); };
  check(set.n > 0 && set.h > 0 && set.w > 0 && set.channels == 3,
        "image set '{}' has {} images of {} channels, {} × {} pixels; expected at least one image of 3 channels",
        set.name, set.n, set.channels, set.h, set.w);
  check(size(set.pixels) == set.n * set.image_bytes(), "image set '{}' has {} pixel bytes, expected {}", set.name,
        size(set.pixels), set.n * set.image_bytes());
  check(size(set.labels) == std::size_t(set.n), "image set '{}' has {} labels for {} images", set.name,
        size(set.labels), set.n);
  check(set.families.empty() || size(set.families) == std::size_t(set.n),
        "image set '{}' has {} families for {} images", set.name, size(set.families), set.n);
  for (int i = 0; i < set.n; ++i) {
    check(set.labels[i] >= 0 && set.labels[i] < set.classes(),
          "image {} of '{}' has label {}, but there are {} classes (from 0)", i, set.name, set.labels[i],
          set.classes());
  }
}

}  // namespace moecnn::data
