#pragma once
/// \file
/// Batches of images with label maps, made ready by background threads.

#include "moecnn/core/aligned.hpp"
#include "moecnn/data/file_loader.hpp"
#include "moecnn/data/sample_cache.hpp"
#include "moecnn/data/segmentation_augment.hpp"

namespace moecnn::data {

/// By default a loader changes nothing, as for a test: pairs come in the order of the set, are only normalised, and those
/// that cannot be read are left out.
struct SegmentationLoaderOpts {
  int batch = 8;
  bool shuffle = false;
  SegmentationAugment augment = {};
  bool whole_labels = false;  ///< label maps keep their size while images are resized: for evaluation, without crop
  std::uint64_t seed = 0;
  int threads = 1;   ///< background threads; 0: next() does the work itself
  int prefetch = 4;  ///< batches made ready ahead
  bool drop_last = false;
  int epochs = 0;                        ///< stop after N epochs; 0: never
  std::size_t cache_bytes = 512u << 20;  ///< decoded pictures that are kept; 0: each is decoded in each epoch
  Broken broken = Broken::leave_out;     ///< what happens to samples that cannot be read
  double most_broken = 0.01;             ///< stop when more of an epoch's samples cannot be read

  /// For training: shuffled, in random crops, broken samples replaced; the rest is that of `o`, whose `augment` gives way.
  ///
  ///     data::SegmentationLoader batches(set, data::SegmentationLoaderOpts::training(512, {.batch = 8}));
  static SegmentationLoaderOpts training(Size2 crop, SegmentationLoaderOpts o) {
    o.shuffle = true;
    o.augment = SegmentationAugment::training(crop);
    o.broken = Broken::replace;
    return o;
  }
};

/// A batch in one of the loader's buffers.
struct SegmentationBatch {
  float* images = nullptr;       ///< count × 3 × h × w, aligned to 64 bytes
  const int* labels = nullptr;   ///< count × label_size: classes from 0, or ignore_label
  const int* indices = nullptr;  ///< count: places in the set
  /// Less than the batch size in the last batch of an epoch and where samples were left out. 0 after the end, and when
  /// nothing is left of the last batch of an epoch.
  int count = 0;
  Size2 size = 0, label_size = 0;
  Position position;  ///< of this batch
  bool last_of_epoch = false;
};

namespace detail {

struct SegmentationSlot {
  AlignedBuffer images = {};
  std::vector<int> labels = {}, indices = {};
  SegmentationBatch batch = {};
  std::vector<BrokenSample> broken = {};
  CutScratch scratch = {};
};

}  // namespace detail

/// Hands out the batches of a set in an order, and with an augmentation, that depend on seed and epoch alone: the number of
/// threads and the place where a run was resumed change nothing. A sample that cannot be read is left out or replaced by
/// another, and remembered. The set must outlive the loader; its functions belong to one thread.
class SegmentationLoader : public FileLoader<detail::SegmentationSlot> {
  using Slot = detail::SegmentationSlot;

 public:
  explicit SegmentationLoader(const SegmentationSet& set, SegmentationLoaderOpts opts = {})
      : FileLoader(
            (check_consistent(set), Order{set.size(), set.name, opts.batch, opts.shuffle, opts.seed, opts.threads,
                                          opts.prefetch, opts.drop_last, opts.epochs, opts.broken, opts.most_broken})),
        set_(set),
        opts_(opts),
        cache_(set, opts.cache_bytes) {
    check_consistent(opts.augment);
    find_sizes();
    start(
        [this](Slot& s) {
          s.images = AlignedBuffer(opts_.batch * image_floats() * sizeof(float));
          s.labels.resize(opts_.batch * label_count());
          s.batch.images = s.images.template as<float>();
          s.batch.labels = s.labels.data();
          s.batch.size = size_, s.batch.label_size = label_size_;
        },
        [this](int i) { return cache_.get(i); },
        [this](Slot& slot, const SegmentationSample& sample, int at, int i, int wanted) {
          fill(slot, sample, at, i, wanted);
        });
  }
  ~SegmentationLoader() { stop(); }

  /// Of all images and of all label maps that come out.
  Size2 size() const { return size_; }
  Size2 label_size() const { return label_size_; }
  /// Elements of one image.
  int image_elements() const { return static_cast<int>(image_floats()); }
  /// The settings that decide which images come when, in words: a resumed run must have the same.
  std::string text() const {
    const SegmentationAugment& a = opts_.augment;
    return formatted(
        "{} of {} pairs of {}, {}, seed {}, crop {} × {}, base {} × {}, scale {} to {}, flip {}, jitter {} {} {}",
        opts_.batch, set_.size(), set_.name, opts_.shuffle ? "shuffled" : "in order", opts_.seed, a.crop.h, a.crop.w,
        a.base.h, a.base.w, a.min_scale, a.max_scale, a.flip, a.brightness, a.contrast, a.saturation);
  }

 private:
  std::size_t image_floats() const { return std::size_t{3} * size_.h * size_.w; }
  std::size_t label_count() const { return static_cast<std::size_t>(label_size_.h) * label_size_.w; }

  /// Sizes that the options leave open are those of the first sample that can be read.
  void find_sizes() {
    const SegmentationAugment& a = opts_.augment;
    check(!opts_.whole_labels || (a.crop == Size2(0) && !a.scales() && a.flip == 0),
          "label maps can keep their size only if images are neither cropped nor scaled nor flipped");
    Size2 own = 0;
    if (opts_.whole_labels || a.output(0) == Size2(0)) own = picture_size(set_);
    size_ = a.output(own);
    label_size_ = opts_.whole_labels ? own : size_;
  }

  void fill(Slot& slot, const SegmentationSample& sample, int at, int i, int wanted) {
    const Rng augment(opts_.seed, Purpose::augment, static_cast<std::uint64_t>(slot.batch.position.epoch));
    const Size2 own{sample.image.h, sample.image.w};
    const auto cut = draw_cut(opts_.augment, augment, static_cast<std::uint64_t>(wanted), own);
    check(cut.out == size_ && (!opts_.whole_labels || own == label_size_),
          "'{}' has pictures of {} × {} and of {} × {} pixels ({}); give a size or a crop, or evaluate one by one",
          set_.name, label_size_.w, label_size_.h, own.w, own.h, set_.pairs[i].id);
    int* labels = slot.labels.data() + at * label_count();
    apply_cut(sample, cut, opts_.augment, slot.images.template as<float>() + at * image_floats(),
              opts_.whole_labels ? nullptr : labels, slot.scratch);
    if (opts_.whole_labels) std::copy(sample.labels.values.begin(), sample.labels.values.end(), labels);
  }

  const SegmentationSet& set_;
  const SegmentationLoaderOpts opts_;
  SampleCache cache_;
  Size2 size_ = 0, label_size_ = 0;
};

}  // namespace moecnn::data
