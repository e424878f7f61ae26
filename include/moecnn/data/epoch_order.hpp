#pragma once
/// \file
/// Which image comes when.

#include "moecnn/core/rng.hpp"
#include "moecnn/data/batch_queue.hpp"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

namespace moecnn::data {

/// The order of an epoch: a permutation of 0 … n-1 that depends on seed and epoch alone, kept until another epoch is asked
/// for.
class EpochOrder {
 public:
  EpochOrder() = default;
  EpochOrder(int n, std::uint64_t seed, bool shuffle) : order_(n), seed_(seed), shuffle_(shuffle) {}

  const std::vector<int>& of(int epoch) {
    if (epoch_ == epoch) return order_;
    std::iota(order_.begin(), order_.end(), 0);
    const Rng rng(seed_, Purpose::shuffle, static_cast<std::uint64_t>(epoch));
    if (shuffle_)
      for (int i = static_cast<int>(order_.size()) - 1; i > 0; --i) std::swap(order_[i], order_[rng.below(i + 1, i)]);
    epoch_ = epoch;
    return order_;
  }

 private:
  std::vector<int> order_;
  std::uint64_t seed_ = 0;
  bool shuffle_ = false;
  int epoch_ = -1;
};

/// Which samples make which batch: those of an epoch's order, `batch` at a time. The last batch of an epoch is shorter where
/// they do not come out even, or dropped.
class EvenBatches {
 public:
  EvenBatches() = default;
  EvenBatches(int samples, int batch, bool shuffle, std::uint64_t seed, bool drop_last)
      : samples_(samples), batch_(batch), order_(samples, seed, shuffle) {
    per_epoch_ = samples / batch + (drop_last || samples % batch == 0 ? 0 : 1);
  }

  int per_epoch() const { return per_epoch_; }
  int samples_per_epoch() const { return std::min(samples_, per_epoch_ * batch_); }
  /// Writes the samples of a batch and returns their number.
  int take(Position p, int* samples) {
    const int begin = p.batch * batch_, count = std::min(batch_, samples_ - begin);
    std::copy_n(order_.of(p.epoch).begin() + begin, count, samples);
    return count;
  }

 private:
  int samples_ = 0, batch_ = 1, per_epoch_ = 0;
  EpochOrder order_;
};

}  // namespace moecnn::data
