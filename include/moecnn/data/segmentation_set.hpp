#pragma once
/// \file
/// Pairs of an image and a label map, and what the labels mean.

#include "moecnn/core/size2.hpp"
#include "moecnn/data/colour.hpp"
#include "moecnn/data/decode.hpp"
#include "moecnn/data/image_set.hpp"

#include <array>
#include <memory>

namespace moecnn::data {

/// Pixels that count neither in the loss nor in a metric.
inline constexpr std::uint8_t ignore_label = 255;
/// In a table of train ids: a value that the data set does not define. Training ignores such pixels, a check reports them.
inline constexpr std::uint8_t unknown_label = 254;

/// For each value that a label file can hold: the class from 0 on, ignore_label or unknown_label.
using TrainIds = std::array<std::uint8_t, 256>;

/// Values 0 … classes-1 are the classes, `ignored` and 255 are ignored, others unknown.
inline TrainIds plain_train_ids(int classes, int ignored = ignore_label) {
  TrainIds ids;
  ids.fill(unknown_label);
  for (int c = 0; c < classes; ++c) ids[c] = static_cast<std::uint8_t>(c);
  ids[ignored] = ids[255] = ignore_label;
  return ids;
}

/// Where an image and its label map lie.
struct SegmentationPair {
  std::filesystem::path image, labels;
  std::string id;  ///< short and unique: "aachen/aachen_000004_000019"
};

/// A file whose partner is missing. In a list of files both can be.
struct UnpairedFile {
  std::filesystem::path present;   ///< may be empty
  std::filesystem::path expected;  ///< is not there
};

/// An image and, of the same size, its train ids: classes or ignore_label.
struct SegmentationSample {
  RgbImage image;
  LabelMap labels;

  std::size_t bytes() const { return image.pixels.size() + labels.values.size(); }
};

/// A description of a data set; the pictures stay in their files, unless they are in `samples`.
struct SegmentationSet {
  std::string name = {};  ///< for titles and messages: "CamVid train"
  std::vector<std::string> class_names = {};
  std::vector<Rgb> palette = {};  ///< a colour per class, for overlays
  TrainIds train_ids = plain_train_ids(0);
  std::vector<SegmentationPair> pairs = {};      ///< in the order of their ids, or of the list that names them
  std::vector<UnpairedFile> unpaired = {};       ///< left out of `pairs`
  std::vector<SegmentationSample> samples = {};  ///< as many as pairs when everything is in memory, otherwise none
  long long largest = most_pixels;               ///< files of more pixels are refused

  int size() const { return static_cast<int>(pairs.size()); }
  int classes() const { return static_cast<int>(class_names.size()); }
  bool in_memory() const { return !samples.empty(); }
};

/// Throws Error unless the parts of the description fit together.
inline void check_consistent(const SegmentationSet& set) {
  const int classes = set.classes();
  check(classes >= 1 && classes < unknown_label, "'{}' has {} classes; expected 1 to {}", set.name, classes,
        unknown_label - 1);
  check(set.palette.size() == set.class_names.size(), "'{}' has {} colours for {} classes", set.name,
        set.palette.size(), classes);
  check(set.size() >= 1, "'{}' has no pair of an image and a label map", set.name);
  check(!set.in_memory() || set.samples.size() == set.pairs.size(), "'{}' has {} samples for {} pairs", set.name,
        set.samples.size(), set.size());
  for (int value = 0; value < 256; ++value)
    check(set.train_ids[value] < classes || set.train_ids[value] >= unknown_label,
          "'{}' turns label value {} into class {}, but has {} classes (from 0)", set.name, value, set.train_ids[value],
          classes);
}

/// Label values → train ids; what the table does not know is ignored.
inline void apply_train_ids(const TrainIds& ids, LabelMap& labels) {
  TrainIds known = ids;
  for (std::uint8_t& id : known)
    if (id == unknown_label) id = ignore_label;
  for (std::uint8_t& value : labels.values) value = known[value];
}

/// Throws Error unless image and label map have one size.
inline void check_same_size(const RgbImage& image, const LabelMap& labels, const SegmentationPair& pair) {
  check(image.h == labels.h && image.w == labels.w, "{} has {} × {} pixels, but its label map {} has {} × {}",
        pair.image.string(), image.w, image.h, pair.labels.string(), labels.w, labels.h);
}

/// Sample i: decoded now, or the one in memory, which the set must then outlive. Throws Error naming the file that cannot
/// be read. Safe to call from several threads.
inline std::shared_ptr<const SegmentationSample> load_sample(const SegmentationSet& set, int i) {
  const SegmentationPair& pair = set.pairs[i];
  if (set.in_memory()) {
    const auto& [image, labels] = set.samples[i];
    check_same_size(image, labels, pair);
    check(image.pixels.size() == 3 * image.plane() && labels.values.size() == image.plane(),
          "{} of '{}' has {} bytes of colours and {} labels for {} × {} pixels", pair.id, set.name, image.pixels.size(),
          labels.values.size(), image.w, image.h);
    return {std::shared_ptr<void>(), &set.samples[i]};  // owned by the set
  }
  auto sample = std::make_shared<SegmentationSample>(
      SegmentationSample{read_image(pair.image, set.largest), read_label_map(pair.labels, set.largest)});
  check_same_size(sample->image, sample->labels, pair);
  apply_train_ids(set.train_ids, sample->labels);
  return sample;
}

/// Of the first sample of a set that can be read. Throws Error when none of the first 20 can.
inline Size2 picture_size(const SegmentationSet& set) {
  const int tries = std::min(set.size(), 20);
  std::string last;
  for (int i = 0; i < tries; ++i) {
    try {
      const auto sample = load_sample(set, i);
      return {sample->image.h, sample->image.w};
    } catch (const Error& error) {
      last = error.what();
    }
  }
  fail("none of the first {} samples of '{}' can be read; the last: {}", tries, set.name, last);
}

}  // namespace moecnn::data
