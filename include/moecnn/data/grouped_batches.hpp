#pragma once
/// \file
/// Batches whose samples belong together, such as pictures of one shape.

#include "moecnn/core/error.hpp"
#include "moecnn/data/epoch_order.hpp"

#include <span>

namespace moecnn::data {

/// Every batch holds samples of one group. Within a group samples come in the order of the epoch, `batch` at a time; what is
/// left of each group makes a shorter batch, or is dropped. The batches of an epoch come group by group, or shuffled. All of
/// that depends on seed and epoch alone.
class GroupedBatches {
 public:
  /// `groups`: the group of each sample, from 0. Throws Error when no group has enough samples for a batch and incomplete
  /// ones are dropped.
  GroupedBatches(std::span<const int> groups, int batch, bool shuffle, std::uint64_t seed, bool drop_last)
      : groups_(groups.begin(), groups.end()),
        shuffle_(shuffle),
        seed_(seed),
        order_(static_cast<int>(groups.size()), seed, shuffle) {
    check(batch >= 1, "the batch size is {}; it must be at least 1", batch);
    std::vector<int> counts;
    for (const int g : groups_) {
      if (static_cast<std::size_t>(g) >= counts.size()) counts.resize(static_cast<std::size_t>(g) + 1);
      ++counts[static_cast<std::size_t>(g)];
    }
    int begin = 0;
    for (const int n : counts) {
      begins_.push_back(begin);
      for (int at = 0; at < n; at += batch) {
        const int count = std::min(batch, n - at);
        if (count < batch && drop_last) break;
        pieces_.push_back({begin + at, count});
        samples_ += count;
      }
      begin += n;
    }
    check(!pieces_.empty(),
          "none of {} groups of samples is as large as a batch of {}, and incomplete batches are dropped",
          counts.size(), batch);
  }

  int per_epoch() const { return static_cast<int>(pieces_.size()); }
  int samples_per_epoch() const { return samples_; }
  /// Writes the samples of a batch and returns their number.
  int take(Position p, int* samples) {
    if (p.epoch != epoch_) arrange(p.epoch);
    const Piece piece = pieces_[static_cast<std::size_t>(turn_[static_cast<std::size_t>(p.batch)])];
    std::copy_n(sorted_.begin() + piece.begin, piece.count, samples);
    return piece.count;
  }

 private:
  struct Piece {
    int begin, count;
  };

  void arrange(int epoch) {
    const std::vector<int>& order = order_.of(epoch);
    std::vector<int> next = begins_;
    sorted_.resize(order.size());
    for (const int i : order)
      sorted_[static_cast<std::size_t>(next[static_cast<std::size_t>(groups_[static_cast<std::size_t>(i)])]++)] = i;
    turn_.resize(pieces_.size());
    std::iota(turn_.begin(), turn_.end(), 0);
    constexpr std::uint32_t lane = 1 << 16;  // others are those of the samples' order and of files that stand in
    const Rng rng(seed_, Purpose::shuffle, static_cast<std::uint64_t>(epoch));
    if (shuffle_)
      for (std::size_t i = turn_.size(); i-- > 1;) std::swap(turn_[i], turn_[rng.below(i + 1, i, lane)]);
    epoch_ = epoch;
  }

  std::vector<int> groups_;
  bool shuffle_ = false;
  std::uint64_t seed_ = 0;
  EpochOrder order_;
  std::vector<int> begins_;    // of each group in the sorted samples
  std::vector<Piece> pieces_;  // batches, in the order of the groups
  int samples_ = 0;
  int epoch_ = -1;
  std::vector<int> sorted_;  // samples of the epoch, group by group
  std::vector<int> turn_;    // which piece comes when
};

}  // namespace moecnn::data
