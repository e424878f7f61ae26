#pragma once
/// \file
/// Decoded pairs that are kept, as far as memory allows.

#include "moecnn/data/segmentation_set.hpp"

#include <mutex>

namespace moecnn::data {

/// load_sample() with a memory: the first samples that fit into `budget` bytes stay, others are decoded anew each time.
/// Nothing is ever thrown out: in an epoch every sample comes once, so whatever would be thrown out is as useful as what
/// takes its place. Safe to use from several threads; the set must outlive the cache.
class SampleCache {
 public:
  SampleCache(const SegmentationSet& set, std::size_t budget)
      : set_(set), budget_(set.in_memory() ? 0 : budget), kept_(budget_ ? set.size() : 0) {}

  /// Throws Error naming a file that cannot be read.
  std::shared_ptr<const SegmentationSample> get(int i) {
    if (budget_ == 0) return load_sample(set_, i);
    {
      std::lock_guard lock(mutex_);
      if (kept_[i]) return kept_[i];
    }
    auto sample = load_sample(set_, i);
    std::lock_guard lock(mutex_);
    if (!kept_[i] && bytes_ + sample->bytes() <= budget_) {
      bytes_ += sample->bytes();
      kept_[i] = sample;
    }
    return sample;
  }

  /// Kept so far.
  std::size_t bytes() const {
    std::lock_guard lock(mutex_);
    return bytes_;
  }

 private:
  const SegmentationSet& set_;
  const std::size_t budget_;
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<const SegmentationSample>> kept_;
  std::size_t bytes_ = 0;
};

}  // namespace moecnn::data
