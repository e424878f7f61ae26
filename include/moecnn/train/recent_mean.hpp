#pragma once
#include <algorithm>

namespace moecnn {

/// A mean that forgets: the first values count equally, later ones with weight 1/memory. For displays.
class RecentMean {
 public:
  explicit RecentMean(double memory = 20) : memory_(memory) {}
  void add(double value) {
    count_ = std::min(count_ + 1, memory_);
    mean_ += (value - mean_) / count_;
  }
  double mean() const { return mean_; }

 private:
  double memory_, count_ = 0, mean_ = 0;
};

}  // namespace moecnn
