#pragma once
/// \file
/// The watches over all mixtures of a network, and what a checkpoint needs to go on watching.

#include <span>

#include "moecnn/moe/stats.hpp"
#include "moecnn/train/result.hpp"

namespace moecnn {

/// One RoutingWatch per mixture of two or more experts. What a watch knows follows from the last steps, at most two of
/// its windows; these are kept as numbers, and restore() watches them once more.
class Watches {
 public:
  Watches() = default;
  Watches(std::vector<MixtureInfo> mixtures, int patience) : mixtures_(std::move(mixtures)), patience_(patience) {
    for (const MixtureInfo& m : mixtures_) entry_ += 3 * static_cast<std::size_t>(m.experts);
    history_.assign(1 + 2 * static_cast<std::size_t>(patience) * entry_, 0.0);
    renew();
  }

  void add(const std::vector<Routing>& routings) {
    for (std::size_t m = 0; m < watches_.size(); ++m) watches_[m].add(routings[m]);
    if (kept() == 2 * patience_) {  // the older of two whole windows goes
      const auto begin = history_.begin() + 1, middle = begin + static_cast<std::ptrdiff_t>(patience_ * entry_);
      std::copy(middle, history_.end(), begin);
      history_[0] = patience_;
    }
    double* to = entry(kept());
    for (std::size_t m = 0; m < watches_.size(); ++m) {
      const Routing& r = routings[m];
      for (int e = 0; e < r.experts; ++e) *to++ = r.load[e], *to++ = r.importance[e], *to++ = r.barred[e];
    }
    history_[0] += 1;
  }

  /// New warnings of all mixtures. Allocates nothing where there are none.
  std::vector<std::string> warnings() {
    std::vector<std::string> all;
    for (RoutingWatch& w : watches_)
      for (std::string& text : w.warnings()) all.push_back(std::move(text));
    return all;
  }

  /// For checkpoints: state() before saving; write into it and call restore() after loading.
  std::span<double> state() { return history_; }
  void restore() {
    renew();
    check(history_[0] >= 0 && history_[0] <= 2 * patience_ && history_[0] == std::floor(history_[0]),
          "the checkpoint's record of routing says {} steps, expected 0 … {}; it is damaged", history_[0],
          2 * patience_);
    Routing r;
    for (int i = 0; i < kept(); ++i) {
      const double* from = entry(i);
      for (std::size_t m = 0; m < watches_.size(); ++m) {
        const int n = mixtures_[m].experts;
        r.resize(1, n, mixtures_[m].k);
        for (int e = 0; e < n; ++e, from += 3)
          r.load[e] = static_cast<int>(from[0]), r.importance[e] = from[1], r.barred[e] = from[2] != 0;
        watches_[m].add(r);
      }
    }
    warnings();  // were given before
  }

 private:
  int kept() const { return static_cast<int>(history_[0]); }
  double* entry(int i) { return history_.data() + 1 + static_cast<std::size_t>(i) * entry_; }
  void renew() {
    watches_.clear();
    for (const MixtureInfo& m : mixtures_) watches_.emplace_back(m.name, WatchOpts{.patience = patience_});
  }

  std::vector<MixtureInfo> mixtures_;
  int patience_ = 1;
  std::size_t entry_ = 0;        // doubles per step
  std::vector<double> history_;  // number of steps kept, then per step and expert: load, importance, barred
  std::vector<RoutingWatch> watches_;
};

}  // namespace moecnn
