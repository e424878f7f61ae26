#pragma once
/// \file
/// Pictures with boxes around the objects in them.

#include "moecnn/data/decode.hpp"
#include "moecnn/data/image_set.hpp"
#include "moecnn/detection/coco_boxes.hpp"

#include <array>
#include <cmath>
#include <memory>
#include <numeric>
#include <span>
#include <utility>

namespace moecnn::data {

using detection::Box;
using detection::CocoBox;
using detection::Object;

/// A picture of the set, its size as the annotations say it.
struct DetectionPicture {
  std::string file;  ///< below the folder of the pictures; a name where the picture is in memory
  std::int64_t id = 0;
  int height = 0, width = 0;
};

enum class DetectionFault {
  wrong_record,      ///< a member that is missing, of another type or without sense
  duplicate,         ///< an id or a file that occurs twice
  unknown_picture,   ///< a box of a picture that is not there
  unknown_category,  ///< a box of a class that is not there
  too_many,          ///< boxes on one picture
  no_size,           ///< a box without width or height; it is kept, and left out in training
  outside,           ///< a box that reaches out of its picture; it is kept, and clipped in training
  unreadable,        ///< the file of a picture is missing or damaged
  other_size         ///< a picture is not as large as the annotations say
};
inline constexpr int detection_faults = static_cast<int>(DetectionFault::other_size) + 1;

struct DetectionFinding {
  DetectionFault kind;
  std::string what;  ///< names the file and the record
};

/// A list that stays small when a file is wrong in every line: the first of each kind in full, of the others the number.
class DetectionFindings {
 public:
  static constexpr long long kept = 1000;  ///< of each kind

  /// `what()` gives the text and is called only for those that are kept.
  template <class What>
  void add(DetectionFault kind, What&& what) {
    if (counts_[static_cast<std::size_t>(kind)]++ < kept) list_.push_back({kind, what()});
  }
  void add(const DetectionFindings& others) {
    auto listed = counts_;
    for (const DetectionFinding& f : others.list_)
      if (listed[static_cast<std::size_t>(f.kind)]++ < kept) list_.push_back(f);
    for (std::size_t k = 0; k < counts_.size(); ++k) counts_[k] += others.counts_[k];
  }
  const std::vector<DetectionFinding>& list() const { return list_; }
  /// Of a kind, those included that are not listed.
  long long of_kind(DetectionFault kind) const { return counts_[static_cast<std::size_t>(kind)]; }
  long long size() const {
    long long all = 0;
    for (const long long n : counts_) all += n;
    return all;
  }

 private:
  std::vector<DetectionFinding> list_;
  std::array<long long, detection_faults> counts_{};
};

/// A description of a data set; the pictures stay in their files, unless they are in `pixels`.
struct DetectionSet {
  std::string name = {};              ///< for titles and messages: "COCO val2017"
  std::filesystem::path folder = {};  ///< of the pictures
  std::vector<std::string> class_names = {};
  std::vector<std::int64_t> category_ids = {};    ///< per class: its number in the annotations, and in results
  std::vector<DetectionPicture> pictures = {};    ///< in the order of their ids
  std::vector<std::size_t> first = {0};           ///< objects of picture i: first[i] … first[i + 1] - 1
  std::vector<Object> objects = {};               ///< of a picture in the order of the annotations
  std::vector<CocoBox> boxes = {};                ///< per object, to the last digit
  std::vector<std::int64_t> annotation_ids = {};  ///< per object
  std::vector<RgbImage> pixels = {};              ///< as many as pictures when everything is in memory, otherwise none
  DetectionFindings findings = {};                ///< what reading the annotations has passed over
  long long largest = most_pixels;                ///< files of more pixels are refused

  int size() const { return static_cast<int>(pictures.size()); }
  int classes() const { return static_cast<int>(class_names.size()); }
  bool in_memory() const { return !pixels.empty(); }
  std::span<const Object> objects_of(int i) const { return part(objects, i); }
  std::span<const CocoBox> boxes_of(int i) const { return part(boxes, i); }
  std::span<const std::int64_t> annotation_ids_of(int i) const { return part(annotation_ids, i); }
  std::filesystem::path file(int i) const { return folder / pictures[static_cast<std::size_t>(i)].file; }

  /// Adds an object of the last picture.
  void add(const CocoBox& box, Object object, std::int64_t id) {
    object.box = box.corners();
    objects.push_back(object);
    boxes.push_back(box);
    annotation_ids.push_back(id);
    first.back() = objects.size();
  }
  /// Adds a picture without objects.
  void add(DetectionPicture picture) {
    pictures.push_back(std::move(picture));
    first.push_back(objects.size());
  }

 private:
  template <class T>
  std::span<const T> part(const std::vector<T>& all, int i) const {
    const std::size_t from = first[static_cast<std::size_t>(i)], to = first[static_cast<std::size_t>(i) + 1];
    return {all.data() + from, to - from};
  }
};

/// Throws Error unless the parts of the description fit together.
inline void check_consistent(const DetectionSet& set) {
  check(set.classes() >= 1, "'{}' has no classes", set.name);
  check(set.category_ids.size() == set.class_names.size(), "'{}' has {} category ids for {} classes", set.name,
        set.category_ids.size(), set.classes());
  check(set.size() >= 1, "'{}' has no pictures", set.name);
  check(set.first.size() == set.pictures.size() + 1 && set.first.front() == 0 &&
            set.first.back() == set.objects.size() && std::is_sorted(set.first.begin(), set.first.end()),
        "'{}' does not say which of its {} objects are on which of its {} pictures", set.name, set.objects.size(),
        set.size());
  check(set.boxes.size() == set.objects.size() && set.annotation_ids.size() == set.objects.size(),
        "'{}' has {} boxes and {} ids for {} objects", set.name, set.boxes.size(), set.annotation_ids.size(),
        set.objects.size());
  check(!set.in_memory() || set.pixels.size() == set.pictures.size(), "'{}' has {} pictures in memory for {}", set.name,
        set.pixels.size(), set.size());
  for (const DetectionPicture& p : set.pictures)
    check(p.height > 0 && p.width > 0, "{} of '{}' has {} × {} pixels", p.file, set.name, p.width, p.height);
  for (const Object& o : set.objects)
    check(o.label >= 0 && o.label < set.classes(), "'{}' has an object of class {}, but {} classes (from 0)", set.name,
          o.label, set.classes());
}

/// Throws Error unless a decoded picture is as large as the annotations say.
inline void check_same_size(const RgbImage& image, const DetectionSet& set, int i) {
  const DetectionPicture& p = set.pictures[static_cast<std::size_t>(i)];
  check(image.h == p.height && image.w == p.width,
        "{} has {} × {} pixels, but its annotations say {} × {}; the boxes would not fit", set.file(i).string(),
        image.w, image.h, p.width, p.height);
}

/// Picture i: decoded now, or the one in memory, which the set must then outlive. Throws Error naming the file that cannot
/// be read or has another size. Safe to call from several threads.
inline std::shared_ptr<const RgbImage> load_picture(const DetectionSet& set, int i) {
  std::shared_ptr<const RgbImage> image;
  if (set.in_memory())
    image = {std::shared_ptr<void>(), &set.pixels[static_cast<std::size_t>(i)]};  // owned by the set
  else
    image = std::make_shared<RgbImage>(read_image(set.file(i), set.largest));
  check_same_size(*image, set, i);
  check(image->pixels.size() == 3 * image->plane(), "{} of '{}' has {} bytes of colours for {} × {} pixels",
        set.pictures[static_cast<std::size_t>(i)].file, set.name, image->pixels.size(), image->w, image->h);
  return image;
}

/// Ids of some pictures of the set.
inline std::vector<std::int64_t> picture_ids(const DetectionSet& set, std::span<const int> pictures) {
  std::vector<std::int64_t> ids;
  for (const int i : pictures) ids.push_back(set.pictures[static_cast<std::size_t>(i)].id);
  return ids;
}

/// The objects of these pictures as detection::coco_metric() takes them, together with picture_ids() and `category_ids`.
inline std::vector<detection::CocoTruth> coco_truths(const DetectionSet& set, std::span<const int> pictures) {
  std::vector<detection::CocoTruth> truths;
  for (const int i : pictures)
    for (std::size_t o = set.first[static_cast<std::size_t>(i)]; o < set.first[static_cast<std::size_t>(i) + 1]; ++o)
      truths.push_back({.image = set.pictures[static_cast<std::size_t>(i)].id,
                        .category = set.category_ids[static_cast<std::size_t>(set.objects[o].label)],
                        .box = set.boxes[o],
                        .area = set.objects[o].area,
                        .crowd = set.objects[o].crowd,
                        .id = set.annotation_ids[o]});
  return truths;
}

/// The same for all pictures.
inline std::vector<std::int64_t> picture_ids(const DetectionSet& set) {
  std::vector<int> all(set.pictures.size());
  std::iota(all.begin(), all.end(), 0);
  return picture_ids(set, all);
}
inline std::vector<detection::CocoTruth> coco_truths(const DetectionSet& set) {
  std::vector<int> all(set.pictures.size());
  std::iota(all.begin(), all.end(), 0);
  return coco_truths(set, all);
}

}  // namespace moecnn::data
