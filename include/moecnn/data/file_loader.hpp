#pragma once
/// \file
/// The common part of loaders of files: an order, threads that work ahead, and files that cannot be read.

#include "moecnn/data/batch_queue.hpp"
#include "moecnn/data/broken_files.hpp"
#include "moecnn/data/epoch_order.hpp"

#include <memory>
#include <optional>

namespace moecnn::data {

/// Hands out batches in an order that depends on seed and epoch alone. A sample that cannot be read is left out or replaced
/// by another, and remembered. A Slot has a `batch` with count, position and last_of_epoch, and the vectors `indices` and
/// `broken`; the loader that derives from this one calls start() at the end of its constructor.
template <class Slot>
class FileLoader {
 public:
  struct Order {
    int samples = 0;
    std::string name = {};  ///< of the set, for messages
    int batch = 1;
    bool shuffle = false;
    std::uint64_t seed = 0;
    int threads = 1, prefetch = 4;
    bool drop_last = false;
    int epochs = 0;
    Broken broken = Broken::leave_out;
    double most_broken = 0.01;
  };

  explicit FileLoader(Order order)
      : order_(std::move(order)), broken_(order_.samples, order_.most_broken, order_.broken) {
    check(order_.batch >= 1, "the batch size is {}; it must be at least 1", order_.batch);
    const int n = order_.samples, whole = n / order_.batch;
    per_epoch_ = order_.drop_last || n % order_.batch == 0 ? whole : whole + 1;
    check(per_epoch_ >= 1, "a batch of {} is larger than '{}' with {} samples, and incomplete batches are dropped",
          order_.batch, order_.name, n);
    epochs_ = EpochOrder(n, order_.seed, order_.shuffle);
  }
  FileLoader(const FileLoader&) = delete;
  FileLoader& operator=(const FileLoader&) = delete;

  int batches_per_epoch() const { return per_epoch_; }
  int images_per_epoch() const { return order_.drop_last ? per_epoch_ * order_.batch : order_.samples; }

  /// The next batch, valid until the next call of next() or seek(). After the last epoch its count is 0. Throws, again and
  /// again until seek(), when too many samples of the epoch cannot be read, and what else went wrong in a thread.
  const auto& next() {
    for (;;) {
      broken_.check_running();
      const int at = queue_->next();
      if (at < 0) return nothing_.batch;
      Slot& slot = slots_[static_cast<std::size_t>(at)];
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

  /// The samples of the batches handed out so far that could not be read.
  const BrokenFiles& broken() const { return broken_; }
  /// A sentence for each sample that was found to be broken since the last call.
  std::vector<std::string> warnings() { return broken_.warnings(); }

 protected:
  ~FileLoader() = default;

  /// `prepare(slot)` allocates; `fill(slot, sample, its place in the batch, its index, the index that the order wants)`
  /// writes one sample; `get(i)` reads sample i and throws Error where it cannot be read.
  template <class Prepare, class Get, class Fill>
  void start(Prepare prepare, Get get, Fill fill) {
    slots_ = std::vector<Slot>(BatchQueue::slots_for(order_.prefetch));
    for (Slot& s : slots_) {
      s.indices.resize(static_cast<std::size_t>(order_.batch));
      prepare(s);
      s.batch.indices = s.indices.data();
    }
    queue_.emplace(
        BatchQueue::Opts{per_epoch_, order_.threads, order_.prefetch, order_.epochs},
        [this](int slot, Position at) { take(slots_[static_cast<std::size_t>(slot)], at); },
        [this, get, fill](int slot) { fill_all(slots_[static_cast<std::size_t>(slot)], get, fill); });
  }
  /// Ends the threads. To be called by the destructor of the loader, whose members they use.
  void stop() { queue_.reset(); }

  const Order& order() const { return order_; }

 private:
  void take(Slot& slot, Position p) {
    const int begin = p.batch * order_.batch;
    slot.batch.count = std::min(order_.batch, order_.samples - begin);
    slot.batch.position = p;
    slot.batch.last_of_epoch = p.batch + 1 == per_epoch_;
    std::copy_n(epochs_.of(p.epoch).begin() + begin, slot.batch.count, slot.indices.begin());
    slot.broken.clear();
  }

  template <class Get, class Fill>
  void fill_all(Slot& slot, const Get& get, const Fill& fill) {
    const Rng shuffle(order_.seed, Purpose::shuffle, static_cast<std::uint64_t>(slot.batch.position.epoch));
    int filled = 0;  // what follows a sample that is left out moves up
    for (int b = 0; b < slot.batch.count; ++b) {
      const int wanted = slot.indices[static_cast<std::size_t>(b)];
      const auto [i, sample] = readable(wanted, shuffle, slot.broken, get);
      if (!sample) continue;
      slot.indices[static_cast<std::size_t>(filled)] = i;
      fill(slot, *sample, filled, i, wanted);
      ++filled;
    }
    slot.batch.count = filled;
  }

  /// Sample `wanted` and its number. Where it cannot be read: nothing, or another that can, drawn with `rng`.
  template <class Get>
  auto readable(int wanted, const Rng& rng, std::vector<BrokenSample>& broken, const Get& get) const
      -> std::pair<int, decltype(get(0))> {
    constexpr std::uint32_t tries = 20;
    for (std::uint32_t t = 0;; ++t) {
      // Lane 0 belongs to the order of the epoch.
      const int i = t == 0 ? wanted
                           : static_cast<int>(rng.below(static_cast<std::uint64_t>(order_.samples),
                                                        static_cast<std::uint64_t>(wanted), t));
      try {
        return {i, get(i)};
      } catch (const Error& error) {
        broken.push_back({i, error.what()});
      }
      if (order_.broken == Broken::leave_out) return {i, nullptr};
      check(t + 1 < tries, "{} samples of '{}' in a row cannot be read; the last: {}", tries, order_.name,
            broken.back().reason);
    }
  }

  const Order order_;
  BrokenFiles broken_;
  int per_epoch_ = 0;
  const Slot nothing_ = {};
  EpochOrder epochs_;  // used by take() alone, in order and by one thread at a time
  std::vector<Slot> slots_;
  std::optional<BatchQueue> queue_;
};

}  // namespace moecnn::data
