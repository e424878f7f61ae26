#pragma once
/// \file
/// Parts of an image set: a validation set cut from the training images, so that nothing has to be chosen on test images.

#include "moecnn/core/rng.hpp"
#include "moecnn/data/image_set.hpp"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

namespace moecnn::data {

/// The images at these places, in this order. Throws Error on a place that does not exist.
inline ImageSet subset(const ImageSet& set, std::span<const int> places, std::string name) {
  ImageSet part = set;
  part.name = std::move(name);
  part.n = static_cast<int>(places.size());
  part.pixels.clear();
  part.labels.clear();
  part.families.clear();
  part.pixels.reserve(places.size() * set.image_bytes());
  for (const int i : places) {
    check(i >= 0 && i < set.n, "image {} of '{}' was asked for, which has {} (from 0)", i, set.name, set.n);
    part.pixels.insert(part.pixels.end(), set.image(i), set.image(i) + set.image_bytes());
    part.labels.push_back(set.labels[i]);
    if (!set.families.empty()) part.families.push_back(set.families[i]);
  }
  return part;
}

/// The training images without those for validation, and these.
struct Parts {
  ImageSet train, validation;
};

/// Cuts `share` of every class off, rounded to whole images and chosen by `seed` alone; both parts keep the order of the
/// set. Throws Error unless both parts get images.
inline Parts split_off(const ImageSet& set, double share, std::uint64_t seed = 0) {
  check(share > 0 && share < 1, "a share of {} of '{}' was asked for validation; choose more than 0 and less than 1",
        share, set.name);
  std::vector<std::vector<int>> of_class(set.classes());
  for (int i = 0; i < set.n; ++i) of_class[set.labels[i]].push_back(i);
  std::vector<int> train, validation;
  for (std::size_t c = 0; c < of_class.size(); ++c) {
    std::vector<int>& places = of_class[c];
    const Rng rng(seed, Purpose::shuffle, hash_name("split_off") + c);
    for (std::size_t i = places.size(); i-- > 1;) std::swap(places[i], places[rng.below(i + 1, i)]);
    const auto cut = places.begin() + std::lround(share * static_cast<double>(places.size()));
    validation.insert(validation.end(), places.begin(), cut);
    train.insert(train.end(), cut, places.end());
  }
  check(!train.empty() && !validation.empty(),
        "{} of the {} images of '{}' for validation leaves one of the parts empty; choose another share", share, set.n,
        set.name);
  std::sort(train.begin(), train.end());
  std::sort(validation.begin(), validation.end());
  return {subset(set, train, set.name + " without validation"), subset(set, validation, set.name + " for validation")};
}

}  // namespace moecnn::data
