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
/// `broken`; the loader that derives from this one calls start() at the end of its constructor. `Batches` decides which
/// samples make which batch.
template <class Slot, class Batches = EvenBatches>
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
      : FileLoader((check(order.batch >= 1, "the batch size is {}; it must be at least 1", order.batch), order),
                   EvenBatches(order.samples, std::max(1, order.batch), order.shuffle, order.seed, order.drop_last)) {}
  FileLoader(Order order, Batches batches)
      : order_(std::move(order)),
        broken_(order_.samples, order_.most_broken, order_.broken),
        batches_(std::move(batches)) {
    check(batches_.per_epoch() >= 1,
          "a batch of {} is larger than '{}' with {} samples, and incomplete batches are dropped", order_.batch,
          order_.name, order_.samples);
  }
  FileLoader(const FileLoader&) = delete;
  FileLoader& operator=(const FileLoader&) = delete;

  int batches_per_epoch() const { return batches_.per_epoch(); }
  int images_per_epoch() const { return batches_.samples_per_epoch(); }

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
      current_ = &slot.batch;
      if (slot.batch.count > 0 || slot.batch.last_of_epoch) return slot.batch;
    }
  }

  /// The batch that next() has handed out last, as long as it is valid.
  const auto& current() const {
    check(current_ != nullptr, "no batch of '{}' has been handed out yet", order_.name);
    return *current_;
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
        BatchQueue::Opts{batches_.per_epoch(), order_.threads, order_.prefetch, order_.epochs},
        [this](int slot, Position at) { take(slots_[static_cast<std::size_t>(slot)], at); },
        [this, get, fill](int slot) { fill_all(slots_[static_cast<std::size_t>(slot)], get, fill); });
  }
  /// Ends the threads. To be called by the destructor of the loader, whose members they use.
  void stop() { queue_.reset(); }

  const Order& order() const { return order_; }

 private:
  void take(Slot& slot, Position p) {
    slot.batch.count = batches_.take(p, slot.indices.data());
    slot.batch.position = p;
    slot.batch.last_of_epoch = p.batch + 1 == batches_.per_epoch();
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
  Batches batches_;  // take() is called in order and by one thread at a time
  const Slot nothing_ = {};
  const decltype(Slot::batch)* current_ = nullptr;
  std::vector<Slot> slots_;
  std::optional<BatchQueue> queue_;
};

}  // namespace moecnn::data
