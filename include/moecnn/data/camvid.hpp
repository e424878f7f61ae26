#pragma once
/// \file
/// CamVid in its version of 11 classes (G. Brostow, J. Fauqueur, R. Cipolla, "Semantic object classes in video: a
/// high-definition ground truth database", Pattern Recognition Letters 2009; classes merged as for SegNet).

#include "moecnn/data/pair_files.hpp"

namespace moecnn::data {

/// The 11 classes in the order of their labels, with the colours that papers show them in.
inline void use_camvid_classes(SegmentationSet& set) {
  set.class_names = {"sky",         "building", "pole", "road",       "pavement", "tree",
                     "sign symbol", "fence",    "car",  "pedestrian", "bicyclist"};
  set.palette = {{128, 128, 128}, {128, 0, 0},   {192, 192, 128}, {128, 64, 128}, {60, 40, 222}, {128, 128, 0},
                 {192, 128, 128}, {64, 64, 128}, {64, 0, 128},    {64, 64, 0},    {0, 128, 192}};
}

/// Pairs `SPLIT/X.png` (or .jpg) with `SPLITannot/X.png`, or takes the pairs that `SPLIT.txt` lists, if it is there.
/// Label 11 is ignored. Throws Error when folders are missing or nothing pairs up.
inline SegmentationSet camvid(const std::filesystem::path& dir, Split split) {
  const std::string part = name_of(split);
  SegmentationSet set{.name = "CamVid " + part, .train_ids = plain_train_ids(11, 11)};
  use_camvid_classes(set);
  constexpr const char* layout =
      "SPLIT/X.png (or .jpg) and SPLITannot/X.png, or SPLIT.txt with a line \"image label-map\" per pair; SPLIT is "
      "train, "
      "val or test";
  const auto list = dir / (part + ".txt"), images = dir / part, labels = dir / (part + "annot");
  if (detail::is_file(list)) {
    pair_by_list(set, list, dir);
  } else {
    for (const auto& folder : {images, labels})
      check(detail::is_folder(folder), "{}: the folder {} is not there. Expected is {}", set.name, folder.string(),
            layout);
    pair_files(set, {images, ""}, {labels, "", false, ".png"});
  }
  check_paired(set, dir, layout);
  return set;
}

}  // namespace moecnn::data
