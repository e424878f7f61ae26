#pragma once
/// \file
/// BDD100K, semantic segmentation (F. Yu et al., "BDD100K: a diverse driving dataset for heterogeneous multitask
/// learning", CVPR 2020).

#include "moecnn/data/cityscapes.hpp"

namespace moecnn::data {

/// Which files hold the labels. All hold the train ids of Cityscapes' 19 classes and 255.
enum class BddLabels {
  any,        ///< the first of the following whose folder is there
  masks,      ///< `labels/sem_seg/masks/SPLIT/ID.png`
  colormaps,  ///< `labels/sem_seg/colormaps/SPLIT/ID.png`: the same as places in a palette
  train_id,   ///< `seg/labels/SPLIT/ID_train_id.png`: the older release, with outlines drawn a little differently
};

/// Pairs images in `images/10k/SPLIT` or, of the older release, `seg/images/SPLIT` with label maps of either. Throws Error
/// when folders are missing or nothing pairs up.
inline SegmentationSet bdd100k(const std::filesystem::path& dir, Split split, BddLabels which = BddLabels::any) {
  SegmentationSet set{.name = std::string("BDD100K ") + name_of(split), .train_ids = plain_train_ids(19)};
  use_street_classes(set);
  constexpr const char* layout =
      "images/10k/SPLIT/ID.jpg with labels/sem_seg/masks/SPLIT/ID.png, or seg/images/SPLIT/ID.jpg with "
      "seg/labels/SPLIT/ID_train_id.png; SPLIT is train or val, and colormaps will do for masks";
  const std::filesystem::path part = name_of(split);
  const FileKind images[] = {{dir / "images/10k" / part, ""}, {dir / "seg/images" / part, ""}};
  const FileKind labels[] = {{dir / "labels/sem_seg/masks" / part, "", false, ".png"},
                             {dir / "labels/sem_seg/colormaps" / part, "", false, ".png"},
                             {dir / "seg/labels" / part, "_train_id", false, ".png"}};
  const FileKind *image = nullptr, *label = nullptr;
  for (const FileKind& kind : images)
    if (!image && detail::is_folder(kind.dir)) image = &kind;
  for (int i = 0; i < 3; ++i)
    if (!label && (which == BddLabels::any || int(which) == i + 1) && detail::is_folder(labels[i].dir))
      label = &labels[i];
  check(image && label, "{}: there is no folder of {} in {}. Expected is {}", set.name, image ? "label maps" : "images",
        dir.string(), layout);
  pair_files(set, *image, *label);
  check_paired(set, dir, layout);
  return set;
}

}  // namespace moecnn::data
