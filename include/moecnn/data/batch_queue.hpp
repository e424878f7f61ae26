#pragma once
/// \file
/// Background threads that fill a ring of buffers, one batch each, in order. What a batch is, its loader knows.

#include "moecnn/core/error.hpp"

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace moecnn::data {

/// A place in the sequence of batches.
struct Position {
  int epoch = 0, batch = 0;
  friend bool operator==(const Position&, const Position&) = default;
};

/// Hands out numbers of slots (0 … slots() - 1) that hold the batches of an endless or limited sequence, in order. The
/// number of threads and the place where a run was resumed change nothing. next(), position() and seek() belong to one
/// thread. To be the last member of its owner, so that threads end before what they use.
class BatchQueue {
 public:
  struct Opts {
    int per_epoch = 1;  ///< batches
    int threads = 1;    ///< 0: next() does the work itself
    int prefetch = 4;   ///< batches made ready ahead
    int epochs = 0;     ///< 0: no end
  };
  /// Writes down what the batch at a position will hold. Called in the order of the batches, by one thread at a time.
  using Take = std::function<void(int slot, Position)>;
  /// Makes the batch. Called from several threads at once, for different slots.
  using Fill = std::function<void(int slot)>;

  BatchQueue(Opts opts, Take take, Fill fill) : opts_(opts), take_(std::move(take)), fill_(std::move(fill)) {
    check(opts_.threads >= 0, "the number of loader threads is {}; it must be 0 or more", opts_.threads);
    check(opts_.prefetch >= 1, "the loader's prefetch is {}; it must be at least 1", opts_.prefetch);
    check(opts_.epochs >= 0, "the number of epochs is {}; it must be 0 (no end) or more", opts_.epochs);
    states_.resize(slots_for(opts_.prefetch));
    try {
      for (int t = 0; t < opts_.threads; ++t) workers_.emplace_back([this] { work(); });
    } catch (...) {
      stop();
      throw;
    }
  }
  BatchQueue(const BatchQueue&) = delete;
  BatchQueue& operator=(const BatchQueue&) = delete;
  ~BatchQueue() { stop(); }

  /// Slots that the owner must have: one more than prefetched, since one is in the caller's hands.
  static std::size_t slots_for(int prefetch) { return static_cast<std::size_t>(prefetch < 1 ? 1 : prefetch) + 1; }

  /// The slot of the next batch, valid until the next call of next() or seek(); -1 after the last epoch. What `fill`
  /// threw is thrown here, again and again until seek().
  int next() {
    std::unique_lock lock(mutex_);
    if (std::exchange(held_, false)) {
      ++consumed_;
      room_.notify_all();
    }
    if (consumed_ == end()) return -1;
    const int slot = slot_of(consumed_);
    State& state = states_[slot];
    if (opts_.threads == 0 && state.ready != consumed_) {
      take_(slot, at(next_++));
      make(slot);
      state.ready = consumed_;
    }
    ready_.wait(lock, [&] { return state.ready == consumed_; });
    if (state.error) std::rethrow_exception(state.error);
    held_ = true;
    return slot;
  }

  /// Of the batch that next() will hand out.
  Position position() const {
    std::lock_guard lock(mutex_);
    return at(consumed_ + (held_ ? 1 : 0));
  }

  /// Goes on from `to`, as if everything before had been handed out.
  void seek(Position to) {
    check(to.epoch >= 0 && to.batch >= 0 && to.batch < opts_.per_epoch, "no batch {} in epoch {}; an epoch has {}",
          to.batch, to.epoch, opts_.per_epoch);
    const std::uint64_t number = static_cast<std::uint64_t>(to.epoch) * opts_.per_epoch + to.batch;
    check(number <= end(), "epoch {} is beyond the last of {}", to.epoch, opts_.epochs);
    std::unique_lock lock(mutex_);
    paused_ = true;
    idle_.wait(lock, [&] { return busy_ == 0; });
    consumed_ = next_ = number;
    held_ = false;
    for (State& s : states_) s.ready = never;
    paused_ = false;
    room_.notify_all();
  }

 private:
  static constexpr std::uint64_t never = ~std::uint64_t{0};

  struct State {
    std::uint64_t ready = never;  ///< number of the batch that lies here finished
    std::exception_ptr error;
  };

  std::uint64_t end() const {
    return opts_.epochs ? static_cast<std::uint64_t>(opts_.epochs) * opts_.per_epoch : never;
  }
  Position at(std::uint64_t number) const {
    return {static_cast<int>(number / opts_.per_epoch), static_cast<int>(number % opts_.per_epoch)};
  }
  int slot_of(std::uint64_t number) const { return static_cast<int>(number % states_.size()); }

  void make(int slot) noexcept {
    states_[slot].error = nullptr;
    try {
      fill_(slot);
    } catch (...) {
      states_[slot].error = std::current_exception();
    }
  }

  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      room_.wait(lock, [&] { return stopping_ || (!paused_ && next_ < consumed_ + states_.size() && next_ < end()); });
      if (stopping_) return;
      const std::uint64_t number = next_++;
      const int slot = slot_of(number);
      take_(slot, at(number));
      ++busy_;
      lock.unlock();
      make(slot);
      lock.lock();
      states_[slot].ready = number;
      if (--busy_ == 0) idle_.notify_all();
      ready_.notify_all();
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

  const Opts opts_;
  const Take take_;
  const Fill fill_;

  mutable std::mutex mutex_;
  std::condition_variable room_;   // a slot is free, or the queue stops
  std::condition_variable ready_;  // a batch is finished
  std::condition_variable idle_;   // no worker is inside a batch
  std::vector<State> states_;      // batch `number` lives in slot number % size
  std::uint64_t next_ = 0;         // first batch that nobody has begun
  std::uint64_t consumed_ = 0;     // batches that the caller has given back
  bool held_ = false;              // the caller has batch `consumed_`
  bool paused_ = false, stopping_ = false;
  int busy_ = 0;
  std::vector<std::thread> workers_;  // last: they use everything above
};

}  // namespace moecnn::data
