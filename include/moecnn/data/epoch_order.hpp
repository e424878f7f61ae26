#pragma once
/// \file
/// Which image comes when.

#include "moecnn/core/rng.hpp"

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

}  // namespace moecnn::data
