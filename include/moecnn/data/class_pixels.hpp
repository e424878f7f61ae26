#pragma once
/// \file
/// How often each class occurs, and weights for a loss that follow from it.

#include "moecnn/data/segmentation_set.hpp"

#include <atomic>
#include <cmath>
#include <mutex>
#include <thread>

namespace moecnn::data {

/// Pixels of each class over all label maps of a set; maps that cannot be read count for nothing.
inline std::vector<long long> class_pixels(const SegmentationSet& set, int threads = 2) {
  std::vector<long long> sum(static_cast<std::size_t>(set.classes()));
  std::atomic<int> next{0};
  std::mutex mutex;
  const auto work = [&] {
    std::array<long long, 256> found{};
    for (int i; (i = next++) < set.size();) {
      std::array<long long, 256> values{};
      try {
        const LabelMap labels =
            set.in_memory() ? set.samples[i].labels : read_label_map(set.pairs[i].labels, set.largest);
        for (std::uint8_t v : labels.values) ++values[v];
      } catch (const std::exception&) {
        continue;  // the loader will speak of it
      }
      for (int v = 0; v < 256; ++v) found[set.in_memory() ? v : set.train_ids[v]] += values[v];
    }
    std::lock_guard lock(mutex);
    for (std::size_t c = 0; c < sum.size(); ++c) sum[c] += found[c];
  };
  std::vector<std::jthread> others;
  for (int t = 1; t < std::min(threads, set.size()); ++t) others.emplace_back(work);
  work();
  others.clear();
  return sum;
}

/// 1 / ln(1.02 + share of the pixels): between 1.42 for a class that is everywhere and 50 for one that is nowhere
/// (A. Paszke et al., "ENet: a deep neural network architecture for real-time semantic segmentation", 2016).
inline std::vector<double> rare_class_weights(const std::vector<long long>& pixels) {
  double all = 0;
  for (long long n : pixels) all += static_cast<double>(n);
  std::vector<double> weights;
  for (long long n : pixels) weights.push_back(1 / std::log(1.02 + (all > 0 ? static_cast<double>(n) / all : 0.0)));
  return weights;
}

}  // namespace moecnn::data
