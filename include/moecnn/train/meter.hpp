#pragma once
/// \file
/// Sums over a stretch of training: an epoch, or the steps between two records.

#include <span>

#include "moecnn/ops/route.hpp"
#include "moecnn/train/result.hpp"

namespace moecnn {

/// All sums lie in one vector of doubles, so a checkpoint can keep them. add() allocates nothing.
class Meter {
 public:
  Meter() = default;
  explicit Meter(std::vector<MixtureInfo> mixtures) : mixtures_(std::move(mixtures)) {
    std::size_t size = heads;
    for (const MixtureInfo& m : mixtures_) size += 2 * static_cast<std::size_t>(m.experts);
    sums_.assign(size, 0.0);
  }

  /// One batch: mean losses, hits (of label maps: the share of the pixels that are hits, times images), time, and the
  /// routing of each mixture.
  void add(int images, double loss, double balance_loss, double right, double seconds,
           const std::vector<Routing>& routings) {
    sums_[0] += images, sums_[1] += loss * images, sums_[2] += balance_loss * images, sums_[3] += right;
    sums_[4] += seconds;
    std::size_t at = heads;
    for (std::size_t m = 0; m < mixtures_.size(); ++m)
      for (int e = 0; e < mixtures_[m].experts; ++e) {
        sums_[at++] += routings[m].load[e];
        sums_[at++] += routings[m].importance[e];
      }
  }
  void reset() { std::fill(sums_.begin(), sums_.end(), 0.0); }

  bool empty() const { return sums_[0] == 0; }
  double images() const { return sums_[0]; }
  double loss() const { return mean(1); }
  double balance_loss() const { return mean(2); }
  double accuracy() const { return mean(3); }
  double seconds() const { return sums_[4]; }
  double images_per_s() const { return sums_[4] > 0 ? sums_[0] / sums_[4] : 0.0; }

  std::vector<ExpertUse> use() const {
    std::vector<ExpertUse> all;
    std::size_t at = heads;
    for (const MixtureInfo& m : mixtures_) {
      ExpertUse u;
      double load = 0, importance = 0;
      for (int e = 0; e < m.experts; ++e) {
        load += u.load.emplace_back(sums_[at++]);
        importance += u.importance.emplace_back(sums_[at++]);
      }
      for (double& x : u.load) x = load > 0 ? x / load : 0.0;
      for (double& x : u.importance) x = importance > 0 ? x / importance : 0.0;
      all.push_back(std::move(u));
    }
    return all;
  }

  /// For checkpoints.
  std::span<double> state() { return sums_; }

 private:
  static constexpr std::size_t heads = 5;
  double mean(int i) const { return sums_[0] > 0 ? sums_[i] / sums_[0] : 0.0; }

  std::vector<MixtureInfo> mixtures_;
  std::vector<double> sums_;
};

}  // namespace moecnn
