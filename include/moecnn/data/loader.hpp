#pragma once
/// \file
/// Batches made ready by background threads.

#include "moecnn/data/augment.hpp"
#include "moecnn/data/image_set.hpp"

#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <numeric>
#include <thread>

namespace moecnn::data {

/// Replaces the augmentation: writes image `image` of `set` for epoch `epoch` to `out` (3 × h × w). Called from
/// several threads at once.
using Transform = std::function<void(const ImageSet& set, int image, int epoch, float* out)>;

struct LoaderOpts {
  int batch = 128;
  bool shuffle = true;
  AugmentOpts augment = {};  ///< AugmentOpts::none() for evaluation
  std::uint64_t seed = 0;
  int threads = 1;   ///< background threads; 0: next() does the work itself
  int prefetch = 4;  ///< batches made ready ahead
  bool drop_last = false;
  int epochs = 0;            ///< stop after so many; 0: go on for ever
  Transform transform = {};  ///< instead of `augment`
};

/// A place in the sequence of batches.
struct Position {
  int epoch = 0, batch = 0;
  friend bool operator==(const Position&, const Position&) = default;
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
    check(opts_.threads >= 0, "the number of loader threads is {}; it must be 0 or more", opts_.threads);
    check(opts_.prefetch >= 1, "the loader's prefetch is {}; it must be at least 1", opts_.prefetch);
    check(opts_.epochs >= 0, "the number of epochs is {}; it must be 0 (no end) or more", opts_.epochs);
    const int whole = set.n / opts_.batch;
    per_epoch_ = opts_.drop_last || set.n % opts_.batch == 0 ? whole : whole + 1;
    check(per_epoch_ >= 1, "a batch of {} is larger than '{}' with {} images, and incomplete batches are dropped",
          opts_.batch, set.name, set.n);
    order_.resize(set.n);
    slots_ = std::vector<Slot>(opts_.prefetch + 1);  // one is in the caller's hands
    for (Slot& s : slots_) {
      s.images.reset(new (std::align_val_t{64}) float[opts_.batch * set.image_bytes()]);
      s.labels.resize(opts_.batch);
      s.indices.resize(opts_.batch);
    }
    try {
      for (int t = 0; t < opts_.threads; ++t) workers_.emplace_back([this] { work(); });
    } catch (...) {
      stop();
      throw;
    }
  }
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;
  ~Loader() { stop(); }

  int batches_per_epoch() const { return per_epoch_; }
  int images_per_epoch() const { return opts_.drop_last ? per_epoch_ * opts_.batch : set_.n; }
  /// Floats of one image.
  int image_elements() const { return static_cast<int>(set_.image_bytes()); }
  /// What decides which images come when, in words: a resumed run must have the same.
  std::string text() const {
    const AugmentOpts& a = opts_.augment;
    return fmt::format("{} of {} images, {}, seed {}, flip {}, jitter {} {} {}, crop {}", opts_.batch, set_.name,
                       opts_.shuffle ? "shuffled" : "in order", opts_.seed, a.flip, a.brightness, a.contrast,
                       a.saturation, a.crop_pad);
  }

  /// The next batch, valid until the next call of next() or seek(). After the last epoch its count is 0. What a
  /// worker threw is thrown here, again and again until seek().
  const Batch& next() {
    std::unique_lock lock(mutex_);
    if (std::exchange(held_, false)) {
      ++consumed_;
      room_.notify_all();
    }
    if (consumed_ == end()) return nothing_;
    Slot& slot = slots_[consumed_ % slots_.size()];
    if (opts_.threads == 0 && slot.ready != consumed_) {
      take(slot, next_++);
      fill(slot);
      slot.ready = consumed_;
    }
    ready_.wait(lock, [&] { return slot.ready == consumed_; });
    if (slot.error) std::rethrow_exception(slot.error);
    held_ = true;
    return slot.batch;
  }

  /// Of the batch that next() will hand out: what a checkpoint stores.
  Position position() const {
    std::lock_guard lock(mutex_);
    return at(consumed_ + (held_ ? 1 : 0));
  }

  /// Goes on from `to`, as if everything before had been handed out.
  void seek(Position to) {
    check(to.epoch >= 0 && to.batch >= 0 && to.batch < per_epoch_, "no batch {} in epoch {}; an epoch has {}", to.batch,
          to.epoch, per_epoch_);
    const std::uint64_t number = static_cast<std::uint64_t>(to.epoch) * per_epoch_ + to.batch;
    check(number <= end(), "epoch {} is beyond the last of {}", to.epoch, opts_.epochs);
    std::unique_lock lock(mutex_);
    paused_ = true;
    idle_.wait(lock, [&] { return busy_ == 0; });
    consumed_ = next_ = number;
    held_ = false;
    for (Slot& s : slots_) s.ready = never;
    paused_ = false;
    room_.notify_all();
  }

 private:
  static constexpr std::uint64_t never = ~std::uint64_t{0};

  struct AlignedDelete {
    void operator()(float* p) const { ::operator delete[](p, std::align_val_t{64}); }
  };
  struct Slot {
    std::unique_ptr<float[], AlignedDelete> images;
    std::vector<int> labels, indices;
    Batch batch;
    std::uint64_t ready = never;  ///< number of the batch that lies here finished
    std::exception_ptr error;
  };

  std::uint64_t end() const { return opts_.epochs ? static_cast<std::uint64_t>(opts_.epochs) * per_epoch_ : never; }
  Position at(std::uint64_t number) const {
    return {static_cast<int>(number / per_epoch_), static_cast<int>(number % per_epoch_)};
  }

  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      room_.wait(lock, [&] { return stopping_ || (!paused_ && next_ < consumed_ + slots_.size() && next_ < end()); });
      if (stopping_) return;
      const std::uint64_t number = next_++;
      Slot& slot = slots_[number % slots_.size()];
      take(slot, number);
      ++busy_;
      lock.unlock();
      fill(slot);
      lock.lock();
      slot.ready = number;
      if (--busy_ == 0) idle_.notify_all();
      ready_.notify_all();
    }
  }

  /// Writes down which images batch `number` has. Batches are taken in order and under the lock, so one permutation,
  /// that of the current epoch, is enough.
  void take(Slot& slot, std::uint64_t number) {
    const Position p = at(number);
    if (order_epoch_ != p.epoch) {
      std::iota(order_.begin(), order_.end(), 0);
      const Rng rng(opts_.seed, Purpose::shuffle, static_cast<std::uint64_t>(p.epoch));
      if (opts_.shuffle)
        for (int i = set_.n - 1; i > 0; --i) std::swap(order_[i], order_[rng.below(i + 1, i)]);
      order_epoch_ = p.epoch;
    }
    const int begin = p.batch * opts_.batch;
    slot.batch = {.images = slot.images.get(),
                  .labels = slot.labels.data(),
                  .indices = slot.indices.data(),
                  .count = std::min(opts_.batch, set_.n - begin),
                  .position = p,
                  .last_of_epoch = p.batch + 1 == per_epoch_};
    std::copy_n(order_.begin() + begin, slot.batch.count, slot.indices.begin());
    slot.error = nullptr;
  }

  void fill(Slot& slot) noexcept {
    try {
      const int epoch = slot.batch.position.epoch;
      const Rng rng(opts_.seed, Purpose::augment, static_cast<std::uint64_t>(epoch));
      for (int b = 0; b < slot.batch.count; ++b) {
        const int i = slot.indices[b];
        float* out = slot.images.get() + b * set_.image_bytes();
        slot.labels[b] = set_.labels[i];
        if (opts_.transform)
          opts_.transform(set_, i, epoch, out);
        else
          augment(set_.image(i), out, opts_.augment, rng, static_cast<std::uint64_t>(i), set_.h, set_.w);
      }
    } catch (...) {
      slot.error = std::current_exception();
    }
  }

  void stop() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    room_.notify_all();
    for (std::thread& t : workers_) t.join();
  }

  const ImageSet& set_;
  const LoaderOpts opts_;
  int per_epoch_ = 0;
  const Batch nothing_;

  mutable std::mutex mutex_;
  std::condition_variable room_;   // a slot is free, or the loader stops
  std::condition_variable ready_;  // a batch is finished
  std::condition_variable idle_;   // no worker is inside a batch
  std::vector<Slot> slots_;        // batch `number` lives in slot number % size
  std::vector<int> order_;         // the current epoch's permutation
  int order_epoch_ = -1;
  std::uint64_t next_ = 0;      // first batch that nobody has begun
  std::uint64_t consumed_ = 0;  // batches that the caller has given back
  bool held_ = false;           // the caller has batch `consumed_`
  bool paused_ = false, stopping_ = false;
  int busy_ = 0;
  std::vector<std::thread> workers_;  // last: they use everything above
};

}  // namespace moecnn::data
