#pragma once
/// The data sets, and the sizes in which networks see them.

#include "options.hpp"

#include <moecnn/data/bdd100k.hpp>
#include <moecnn/data/camvid.hpp>
#include <moecnn/data/segmentation_loader.hpp>
#include <moecnn/data/synthetic_street.hpp>

namespace segmentation {

inline data::Split split_by_name(const std::string& name) {
  for (const data::Split s : {data::Split::train, data::Split::val, data::Split::test})
    if (name == name_of(s)) return s;
  fail("there is no split called '{}'; choose train, val or test", name);
}

/// Classes and colours of a data set, without its files.
inline data::SegmentationSet classes_of(const Options& o) {
  data::SegmentationSet set{.name = o.dataset};
  if (o.dataset == "camvid")
    data::use_camvid_classes(set);
  else if (o.dataset == "synthetic")
    data::use_synthetic_street_classes(
        set, o.classes > 0 && o.classes < data::most_street_classes ? o.classes : data::most_street_classes);
  else
    data::use_street_classes(set);
  return set;
}

/// Classes of the network: --classes, or those of the data.
inline int class_count(const Options& o) {
  const int has = classes_of(o).classes();
  check(o.classes == 0 || o.classes >= has, "--classes is {}, but {} has {} classes; give {} or more, or leave it out",
        o.classes, o.dataset, has, has);
  return o.classes > 0 ? o.classes : has;
}

/// Of generated scenes.
inline Size2 scene_size(const Options& o) { return o.size.empty() ? Size2(96, 128) : size_of(o.size, "--size"); }

/// --max-megapixels
inline long long most_pixels(const Options& o) {
  return static_cast<long long>(std::min(o.most_megapixels, 1e9) * 1e6 + 0.5);
}

/// All pairs of a split.
inline data::SegmentationSet whole_set(const Options& o, data::Split split) {
  if (o.dataset == "synthetic") {
    const Size2 size = scene_size(o);
    const int n = split == data::Split::train ? o.images : std::max(1, o.images / 4);
    constexpr double most = 16e9;
    const double bytes = 4.0 * n * size.h * size.w;
    check(bytes <= most,
          "{} scenes of {}x{} pixels take {:.0f} GB of memory, more than {:.0f}; lower --images or --size", n, size.h,
          size.w, bytes / 1e9, most / 1e9);
    return data::synthetic_segmentation(n, size.h, size.w, o.seed, classes_of(o).classes(), split);
  }
  check(!o.data.empty(), "--data is missing: the folder that holds {}", o.dataset);
  check(std::filesystem::is_directory(o.data), "--data {}: there is no such folder; give the one that holds {}", o.data,
        o.dataset);
  if (o.dataset == "camvid") return data::camvid(o.data, split);
  if (o.dataset == "bdd100k") return data::bdd100k(o.data, split);
  return data::cityscapes(o.data, split);
}

/// The pairs that were asked for, by --limit and --overfit.
inline data::SegmentationSet load(const Options& o, data::Split split) {
  data::SegmentationSet set = whole_set(o, o.overfit > 0 ? data::Split::train : split);
  const int most = o.overfit > 0 ? o.overfit : o.limit;
  if (most > 0 && most < set.size()) {
    set.pairs.resize(static_cast<std::size_t>(most));
    if (set.in_memory()) set.samples.resize(static_cast<std::size_t>(most));
  }
  set.largest = most_pixels(o);
  check(set.size() >= 1, "{} in {} has no pairs of an image and a label map", set.name, o.data);
  return set;
}

/// The crops of training: --crop, or the data set's own, made to fit the network.
inline Size2 crop_of(const Options& o) {
  if (!o.crop.empty()) return size_of(o.crop, "--crop");
  const Size2 usual = o.dataset == "cityscapes" ? Size2(768, 768)
                      : o.dataset == "bdd100k"  ? Size2(720, 720)
                      : o.dataset == "camvid"   ? Size2(360, 480)
                                                : scene_size(o);
  return size_for(o.info(), usual);
}

/// The pairs to train on. A few pairs to overfit are listed many times, so that an epoch is more than a step.
inline data::SegmentationSet load_training(const Options& o) {
  data::SegmentationSet set = load(o, data::Split::train);
  if (o.overfit == 0) return set;
  constexpr int steps = 25;
  const auto pairs = set.pairs;
  const auto samples = set.samples;
  for (int i = 1; i < steps; ++i) {
    set.pairs.insert(set.pairs.end(), pairs.begin(), pairs.end());
    set.samples.insert(set.samples.end(), samples.begin(), samples.end());
  }
  return set;
}

inline data::SegmentationLoaderOpts loader_of(const Options& o) {
  return {.seed = o.seed, .threads = o.loader_threads, .cache_bytes = static_cast<std::size_t>(o.cache_mb) << 20};
}

/// Whether training images are changed at random.
inline bool augments(const Options& o) { return o.augment && o.overfit == 0; }

/// Training crops in random order. Without augmentation the whole picture is resized to the crop.
inline data::SegmentationLoaderOpts training_loader(const Options& o, int batch) {
  auto l = data::SegmentationLoaderOpts::training(crop_of(o), loader_of(o));
  l.batch = batch;
  l.drop_last = true;
  if (!augments(o)) {
    l.augment = data::SegmentationAugment::none(crop_of(o));
    return l;
  }
  auto& a = l.augment;
  if (o.dataset != "synthetic") a.base = size_of(o.size, "--size");
  a.min_scale = static_cast<float>(o.min_scale), a.max_scale = static_cast<float>(o.max_scale);
  a.brightness = a.contrast = a.saturation = static_cast<float>(o.jitter);
  return l;
}

/// Whole pictures in order, as they are, in --size, or a little larger where the network wants certain sizes; results are
/// compared with label maps in their own size. Pictures that cannot be read are left out.
inline data::SegmentationLoaderOpts evaluation_loader(const Options& o, const data::SegmentationSet& set) {
  auto l = loader_of(o);
  l.batch = std::min(o.eval_batch, set.size());
  l.whole_labels = true;
  const Size2 own = data::picture_size(set);
  const bool small = !augments(o);  // they were trained on whole pictures in the size of the crop
  const Size2 wanted = small                                        ? crop_of(o)
                       : o.size.empty() || o.dataset == "synthetic" ? own
                                                                    : size_of(o.size, "--size");
  const Size2 size = size_for(o.info(), wanted);
  l.augment = data::SegmentationAugment::none(size == own ? Size2(0) : size);
  return l;
}

/// At most `most` pairs, evenly spaced.
inline data::SegmentationSet thin(const data::SegmentationSet& set, int most) {
  if (set.size() <= most) return set;
  data::SegmentationSet part = set;
  part.pairs.clear(), part.samples.clear();
  for (int j = 0; j < most; ++j) {
    const auto i = static_cast<std::size_t>(static_cast<long long>(j) * set.size() / most);
    part.pairs.push_back(set.pairs[i]);
    if (set.in_memory()) part.samples.push_back(set.samples[i]);
  }
  return part;
}

}  // namespace segmentation
