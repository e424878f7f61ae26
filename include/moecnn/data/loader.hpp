#pragma once
/// \file
/// Batches made ready by background threads.

#include "moecnn/core/aligned.hpp"
#include "moecnn/data/augment.hpp"
#include "moecnn/data/batch_queue.hpp"
#include "moecnn/data/epoch_order.hpp"
#include "moecnn/data/image_set.hpp"

#include <functional>
#include <optional>

namespace moecnn::data {

/// Replaces the augmentation: writes image `image` of `set` for epoch `epoch` to `out` (3 × h × w). Called from
/// several threads at once.
using Transform = std::function<void(const ImageSet& set, int image, int epoch, float* out)>;

/// By default a loader changes nothing: images come in the order of the set and are only normalised, as for a test.
struct LoaderOpts {
  int batch = 128;
  bool shuffle = false;
  AugmentOpts augment = {};
  std::uint64_t seed = 0;
  int threads = 1;   ///< background threads; 0: next() does the work itself
  int prefetch = 4;  ///< batches made ready ahead
  bool drop_last = false;
  int epochs = 0;            ///< stop after so many; 0: go on for ever
  Transform transform = {};  ///< instead of `augment`

  /// For training on CIFAR-100: shuffled, with AugmentOpts::cifar() instead of `o.augment`; the rest is that of `o`.
  ///
  ///     data::Loader batches(images, data::LoaderOpts::training({.batch = 128, .seed = 42}));
  static LoaderOpts training(LoaderOpts o) {
    o.shuffle = true;
    o.augment = AugmentOpts::cifar();
    return o;
  }
};

/// A batch in one of the loader's buffers.
struct Batch {
  float* images = nullptr;       ///< count × 3 × h × w, aligned to 64 bytes
  const int* labels = nullptr;   ///< count
  const int* indices = nullptr;  ///< count: places in the image set
  int count = 0;                 ///< images; less than the batch size in the last batch of an epoch; 0 after the end
  Position position;             ///< of this batch
  bool last_of_epoch = false;
};

/// Hands out the batches of an image set in an order that depends on seed and epoch alone: the number of threads and
/// the place where a run was resumed change nothing. All memory is allocated at construction. The set must outlive the
/// loader; next(), position() and seek() belong to one thread.
class Loader {
 public:
  explicit Loader(const ImageSet& set, LoaderOpts opts = {}) : set_(set), opts_(std::move(opts)) {
    check_consistent(set);
    check(opts_.batch >= 1, "the batch size is {}; it must be at least 1", opts_.batch);
    const int whole = set.n / opts_.batch;
    per_epoch_ = opts_.drop_last || set.n % opts_.batch == 0 ? whole : whole + 1;
    check(per_epoch_ >= 1, "a batch of {} is larger than '{}' with {} images, and incomplete batches are dropped",
          opts_.batch, set.name, set.n);
    order_ = EpochOrder(set.n, opts_.seed, opts_.shuffle);
    slots_ = std::vector<Slot>(BatchQueue::slots_for(opts_.prefetch));
    for (Slot& s : slots_) {
      s.images = AlignedBuffer(opts_.batch * set.image_bytes() * sizeof(float));
      s.labels.resize(opts_.batch);
      s.indices.resize(opts_.batch);
    }
    queue_.emplace(
        BatchQueue::Opts{per_epoch_, opts_.threads, opts_.prefetch, opts_.epochs},
        [this](int slot, Position at) { take(slots_[slot], at); }, [this](int slot) { fill(slots_[slot]); });
  }
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  int batches_per_epoch() const { return per_epoch_; }
  int images_per_epoch() const { return opts_.drop_last ? per_epoch_ * opts_.batch : set_.n; }
  /// Floats of one image.
  int image_elements() const { return static_cast<int>(set_.image_bytes()); }
  /// The settings that decide which images come when, in words: a resumed run must have the same.
  std::string text() const {
    const AugmentOpts& a = opts_.augment;
    return fmt::format("{} of {} images, {}, seed {}, flip {}, jitter {} {} {}, crop {}", opts_.batch, set_.name,
                       opts_.shuffle ? "shuffled" : "in order", opts_.seed, a.flip, a.brightness, a.contrast,
                       a.saturation, a.crop_pad);
  }

  /// The next batch, valid until the next call of next() or seek(). After the last epoch its count is 0. What a
  /// worker threw is thrown here, again and again until seek().
  const Batch& next() {
    const int slot = queue_->next();
    return slot < 0 ? nothing_ : slots_[slot].batch;
  }

  /// Of the batch that next() will hand out: what a checkpoint stores.
  Position position() const { return queue_->position(); }

  /// Goes on from `to`, as if everything before had been handed out.
  void seek(Position to) { queue_->seek(to); }

 private:
  struct Slot {
    AlignedBuffer images;
    std::vector<int> labels, indices;
    Batch batch;
  };

  void take(Slot& slot, Position p) {
    const int begin = p.batch * opts_.batch;
    slot.batch = {.images = slot.images.as<float>(),
                  .labels = slot.labels.data(),
                  .indices = slot.indices.data(),
                  .count = std::min(opts_.batch, set_.n - begin),
                  .position = p,
                  .last_of_epoch = p.batch + 1 == per_epoch_};
    std::copy_n(order_.of(p.epoch).begin() + begin, slot.batch.count, slot.indices.begin());
  }

  void fill(Slot& slot) const {
    const int epoch = slot.batch.position.epoch;
    const Rng rng(opts_.seed, Purpose::augment, static_cast<std::uint64_t>(epoch));
    for (int b = 0; b < slot.batch.count; ++b) {
      const int i = slot.indices[b];
      float* out = slot.images.as<float>() + b * set_.image_bytes();
      slot.labels[b] = set_.labels[i];
      if (opts_.transform)
        opts_.transform(set_, i, epoch, out);
      else
        augment(set_.image(i), out, opts_.augment, rng, static_cast<std::uint64_t>(i), set_.h, set_.w);
    }
  }

  const ImageSet& set_;
  const LoaderOpts opts_;
  int per_epoch_ = 0;
  const Batch nothing_;
  EpochOrder order_;  // used by take() alone, in order and by one thread at a time
  std::vector<Slot> slots_;
  std::optional<BatchQueue> queue_;  // last: its threads use everything above
};

}  // namespace moecnn::data
