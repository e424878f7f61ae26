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

namespace detail {

/// Places of the samples for training and of those for validation, both ascending.
struct PartPlaces {
  std::vector<int> train, validation;
};

/// Cuts `share` of every class off, rounded to whole samples and chosen by `seed` alone. Throws Error unless both parts get
/// samples.
inline PartPlaces split_places(std::span<const int> labels, int classes, const std::string& name, double share,
                               std::uint64_t seed) {
  check(share > 0 && share < 1, "a share of {} of '{}' was asked for validation; choose more than 0 and less than 1",
        share, name);
  std::vector<std::vector<int>> of_class(static_cast<std::size_t>(classes));
  for (std::size_t i = 0; i < labels.size(); ++i)
    of_class[static_cast<std::size_t>(labels[i])].push_back(static_cast<int>(i));
  PartPlaces parts;
  for (std::size_t c = 0; c < of_class.size(); ++c) {
    std::vector<int>& places = of_class[c];
    const Rng rng(seed, Purpose::shuffle, hash_name("split_off") + c);
    for (std::size_t i = places.size(); i-- > 1;) std::swap(places[i], places[rng.below(i + 1, i)]);
    const auto cut = places.begin() + std::lround(share * static_cast<double>(places.size()));
    parts.validation.insert(parts.validation.end(), places.begin(), cut);
    parts.train.insert(parts.train.end(), cut, places.end());
  }
  check(!parts.train.empty() && !parts.validation.empty(),
        "{} of the {} images of '{}' for validation leaves one of the parts empty; choose another share", share,
        labels.size(), name);
  std::sort(parts.train.begin(), parts.train.end());
  std::sort(parts.validation.begin(), parts.validation.end());
  return parts;
}

}  // namespace detail

/// Cuts `share` of every class off, rounded to whole images and chosen by `seed` alone; both parts keep the order of the
/// set. Throws Error unless both parts get images.
inline Parts split_off(const ImageSet& set, double share, std::uint64_t seed = 0) {
  const auto places = detail::split_places(set.labels, set.classes(), set.name, share, seed);
  return {subset(set, places.train, set.name + " without validation"),
          subset(set, places.validation, set.name + " for validation")};
}

}  // namespace moecnn::data
