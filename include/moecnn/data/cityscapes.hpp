#pragma once
/// \file
/// Cityscapes with fine annotations (M. Cordts et al., "The Cityscapes dataset for semantic urban scene understanding",
/// CVPR 2016; https://www.cityscapes-dataset.com).

#include "moecnn/data/pair_files.hpp"

namespace moecnn::data {

/// The 19 classes that are trained and evaluated, by train id, with the official colours. BDD100K has the same.
inline void use_street_classes(SegmentationSet& set) {
  set.class_names = {"road",         "sidewalk",   "building", "wall",       "fence",  "pole",  "traffic light",
                     "traffic sign", "vegetation", "terrain",  "sky",        "person", "rider", "car",
                     "truck",        "bus",        "train",    "motorcycle", "bicycle"};
  set.palette = {{128, 64, 128},  {244, 35, 232}, {70, 70, 70},  {102, 102, 156}, {190, 153, 153},
                 {153, 153, 153}, {250, 170, 30}, {220, 220, 0}, {107, 142, 35},  {152, 251, 152},
                 {70, 130, 180},  {220, 20, 60},  {255, 0, 0},   {0, 0, 142},     {0, 0, 70},
                 {0, 60, 100},    {0, 80, 100},   {0, 0, 230},   {119, 11, 32}};
}

/// Label ids 0 … 33 of the annotations → train ids.
inline TrainIds cityscapes_train_ids() {
  TrainIds ids;
  ids.fill(unknown_label);
  std::fill_n(ids.begin(), 34, ignore_label);
  std::uint8_t next = 0;
  for (int id : {7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33}) ids[id] = next++;
  return ids;
}

/// Pairs `leftImg8bit/SPLIT/CITY/X_leftImg8bit.png` with `gtFine/SPLIT/CITY/X_gtFine_labelIds.png`. Throws Error when a
/// folder is missing or nothing pairs up.
inline SegmentationSet cityscapes(const std::filesystem::path& dir, Split split) {
  SegmentationSet set{.name = std::string("Cityscapes ") + name_of(split), .train_ids = cityscapes_train_ids()};
  use_street_classes(set);
  constexpr const char* layout =
      "leftImg8bit/SPLIT/CITY/X_leftImg8bit.png and gtFine/SPLIT/CITY/X_gtFine_labelIds.png, as the archives "
      "leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip of https://www.cityscapes-dataset.com unpack";
  const auto images = dir / "leftImg8bit" / name_of(split), labels = dir / "gtFine" / name_of(split);
  for (const auto& folder : {images, labels})
    check(detail::is_folder(folder), "{}: the folder {} is not there. Expected is {}", set.name, folder.string(),
          layout);
  pair_files(set, {images, "_leftImg8bit", true}, {labels, "_gtFine_labelIds", true, ".png"});
  check_paired(set, dir, layout);
  return set;
}

}  // namespace moecnn::data
