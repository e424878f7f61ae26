#pragma once
/// \file
/// Batches of images with label maps, made ready by background threads.

#include "moecnn/core/aligned.hpp"
#include "moecnn/data/batch_queue.hpp"
#include "moecnn/data/broken_files.hpp"
#include "moecnn/data/epoch_order.hpp"
#include "moecnn/data/sample_cache.hpp"
#include "moecnn/data/segmentation_augment.hpp"

#include <optional>

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
  int epochs = 0;                        ///< stop after so many; 0: go on for ever
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

/// Hands out the batches of a set in an order, and with an augmentation, that depend on seed and epoch alone: the number of
/// threads and the place where a run was resumed change nothing. A sample that cannot be read is left out or replaced by
/// another, and remembered. The set must outlive the loader; its functions belong to one thread.
class SegmentationLoader {
 public:
  explicit SegmentationLoader(const SegmentationSet& set, SegmentationLoaderOpts opts = {})
      : set_(set), opts_(opts), cache_(set, opts.cache_bytes), broken_(set.size(), opts.most_broken, opts.broken) {
    check_consistent(set);
    check_consistent(opts.augment);
    check(opts_.batch >= 1, "the batch size is {}; it must be at least 1", opts_.batch);
    const int n = set.size(), whole = n / opts_.batch;
    per_epoch_ = opts_.drop_last || n % opts_.batch == 0 ? whole : whole + 1;
    check(per_epoch_ >= 1, "a batch of {} is larger than '{}' with {} pairs, and incomplete batches are dropped",
          opts_.batch, set.name, n);
    find_sizes();
    order_ = EpochOrder(n, opts_.seed, opts_.shuffle);
    slots_ = std::vector<Slot>(BatchQueue::slots_for(opts_.prefetch));
    for (Slot& s : slots_) {
      s.images = AlignedBuffer(opts_.batch * image_floats() * sizeof(float));
      s.labels.resize(opts_.batch * label_count());
      s.indices.resize(opts_.batch);
    }
    queue_.emplace(
        BatchQueue::Opts{per_epoch_, opts_.threads, opts_.prefetch, opts_.epochs},
        [this](int slot, Position at) { take(slots_[slot], at); }, [this](int slot) { fill(slots_[slot]); });
  }
  SegmentationLoader(const SegmentationLoader&) = delete;
  SegmentationLoader& operator=(const SegmentationLoader&) = delete;

  int batches_per_epoch() const { return per_epoch_; }
  int images_per_epoch() const { return opts_.drop_last ? per_epoch_ * opts_.batch : set_.size(); }
  /// Of all images and of all label maps that come out.
  Size2 size() const { return size_; }
  Size2 label_size() const { return label_size_; }
  /// Numbers in one image.
  int image_elements() const { return static_cast<int>(image_floats()); }
  /// What decides which images come when, in words: a resumed run must have the same.
  std::string text() const {
    const SegmentationAugment& a = opts_.augment;
    return formatted(
        "{} of {} pairs of {}, {}, seed {}, crop {} × {}, base {} × {}, scale {} to {}, flip {}, jitter {} {} {}",
        opts_.batch, set_.size(), set_.name, opts_.shuffle ? "shuffled" : "in order", opts_.seed, a.crop.h, a.crop.w,
        a.base.h, a.base.w, a.min_scale, a.max_scale, a.flip, a.brightness, a.contrast, a.saturation);
  }

  /// The next batch, valid until the next call of next() or seek(). After the last epoch its count is 0. Throws, again and
  /// again until seek(), when too many samples of the epoch cannot be read, and what else went wrong in a thread.
  const SegmentationBatch& next() {
    for (;;) {
      broken_.check_running();
      const int at = queue_->next();
      if (at < 0) return nothing_;
      Slot& slot = slots_[at];
      // Counted here rather than where they are found, so that the run stops at the same batch with any number of threads.
      broken_.add(slot.batch.position.epoch, slot.broken);
      // Nothing may be left of a batch. One at the end of an epoch must come even so, as it says that the epoch is over.
      if (slot.batch.count > 0 || slot.batch.last_of_epoch) return slot.batch;
    }
  }

  /// Of the batch that next() will hand out: what a checkpoint stores.
  Position position() const { return queue_->position(); }

  /// Goes on from `to`, as if everything before had been handed out.
  void seek(Position to) {
    queue_->seek(to);
    broken_.restart();
  }

  /// What could not be read in the batches handed out so far.
  const BrokenFiles& broken() const { return broken_; }
  /// A sentence for each sample that was found to be broken since the last call.
  std::vector<std::string> warnings() { return broken_.warnings(); }

 private:
  struct Slot {
    AlignedBuffer images;
    std::vector<int> labels, indices;
    SegmentationBatch batch;
    std::vector<BrokenSample> broken;
    CutScratch scratch;
  };

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

  /// Sample `wanted` and its number. Where it cannot be read: nothing, or another that can, drawn with `rng`.
  std::pair<int, std::shared_ptr<const SegmentationSample>> readable(int wanted, const Rng& rng,
                                                                     std::vector<BrokenSample>& broken) {
    constexpr std::uint32_t tries = 20;
    for (std::uint32_t t = 0;; ++t) {
      // Lane 0 belongs to the order of the epoch.
      const int i = t == 0 ? wanted : static_cast<int>(rng.below(set_.size(), static_cast<std::uint64_t>(wanted), t));
      try {
        return {i, cache_.get(i)};
      } catch (const Error& error) {
        broken.push_back({i, error.what()});
      }
      if (opts_.broken == Broken::leave_out) return {i, nullptr};
      check(t + 1 < tries, "{} samples of '{}' in a row cannot be read; the last: {}", tries, set_.name,
            broken.back().reason);
    }
  }

  void take(Slot& slot, Position p) {
    const int begin = p.batch * opts_.batch;
    slot.batch = {.images = slot.images.as<float>(),
                  .labels = slot.labels.data(),
                  .indices = slot.indices.data(),
                  .count = std::min(opts_.batch, set_.size() - begin),
                  .size = size_,
                  .label_size = label_size_,
                  .position = p,
                  .last_of_epoch = p.batch + 1 == per_epoch_};
    std::copy_n(order_.of(p.epoch).begin() + begin, slot.batch.count, slot.indices.begin());
    slot.broken.clear();
  }

  void fill(Slot& slot) {
    const auto epoch = static_cast<std::uint64_t>(slot.batch.position.epoch);
    const Rng shuffle(opts_.seed, Purpose::shuffle, epoch), augment(opts_.seed, Purpose::augment, epoch);
    int filled = 0;  // what follows a sample that is left out moves up
    for (int b = 0; b < slot.batch.count; ++b) {
      const int wanted = slot.indices[b];
      const auto [i, sample] = readable(wanted, shuffle, slot.broken);
      if (!sample) continue;
      slot.indices[filled] = i;
      const Size2 own{sample->image.h, sample->image.w};
      const auto cut = draw_cut(opts_.augment, augment, static_cast<std::uint64_t>(wanted), own);
      check(cut.out == size_ && (!opts_.whole_labels || own == label_size_),
            "'{}' has pictures of {} × {} and of {} × {} pixels ({}); give a size or a crop, or evaluate one by one",
            set_.name, label_size_.w, label_size_.h, own.w, own.h, set_.pairs[i].id);
      int* labels = slot.labels.data() + filled * label_count();
      apply_cut(*sample, cut, opts_.augment, slot.images.as<float>() + filled * image_floats(),
                opts_.whole_labels ? nullptr : labels, slot.scratch);
      if (opts_.whole_labels) std::copy(sample->labels.values.begin(), sample->labels.values.end(), labels);
      ++filled;
    }
    slot.batch.count = filled;
  }

  const SegmentationSet& set_;
  const SegmentationLoaderOpts opts_;
  SampleCache cache_;
  BrokenFiles broken_;
  int per_epoch_ = 0;
  Size2 size_ = 0, label_size_ = 0;
  const SegmentationBatch nothing_;
  EpochOrder order_;  // used by take() alone, in order and by one thread at a time
  std::vector<Slot> slots_;
  std::optional<BatchQueue> queue_;  // last: its threads use everything above
};

}  // namespace moecnn::data
