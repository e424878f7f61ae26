#pragma once
/// \file
/// Decoded pictures that are kept, as far as memory allows.

#include "moecnn/data/segmentation_set.hpp"

#include <functional>
#include <mutex>

namespace moecnn::data {

/// Samples that take time to read, kept: the first ones that fit into `budget` bytes stay, others are read anew each time.
/// Nothing is ever thrown out: in an epoch every sample comes once, so whatever would be thrown out is as useful as what
/// takes its place. Safe to use from several threads. A Sample has bytes().
template <class Sample>
class KeptSamples {
 public:
  /// `read(i)` may throw, and is called from several threads.
  KeptSamples(int samples, std::size_t budget, std::function<std::shared_ptr<const Sample>(int)> read)
      : read_(std::move(read)), budget_(budget), kept_(budget ? static_cast<std::size_t>(samples) : 0) {}

  /// Throws what reading throws: an Error that names the file.
  std::shared_ptr<const Sample> get(int i) {
    const auto at = static_cast<std::size_t>(i);
    if (budget_ == 0) return read_(i);
    {
      std::lock_guard lock(mutex_);
      if (kept_[at]) return kept_[at];
    }
    auto sample = read_(i);
    std::lock_guard lock(mutex_);
    if (!kept_[at] && bytes_ + sample->bytes() <= budget_) {
      bytes_ += sample->bytes();
      kept_[at] = sample;
    }
    return sample;
  }

  /// Kept so far.
  std::size_t bytes() const {
    std::lock_guard lock(mutex_);
    return bytes_;
  }

 private:
  std::function<std::shared_ptr<const Sample>(int)> read_;
  const std::size_t budget_;
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<const Sample>> kept_;
  std::size_t bytes_ = 0;
};

/// load_sample() with a memory. The set must outlive the cache.
class SampleCache : public KeptSamples<SegmentationSample> {
 public:
  SampleCache(const SegmentationSet& set, std::size_t budget)
      : KeptSamples(set.size(), set.in_memory() ? 0 : budget, [&set](int i) { return load_sample(set, i); }) {}
};

}  // namespace moecnn::data
