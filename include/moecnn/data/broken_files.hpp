#pragma once
/// \file
/// Samples that cannot be read: a few are left out or replaced, many stop the run.

#include "moecnn/core/error.hpp"

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace moecnn::data {

/// How a loader does without a sample that it cannot read.
enum class Broken {
  leave_out,  ///< the batch has one image less: for evaluation, whose figures are then those of the other images
  replace     ///< another sample of the set comes instead, so that batches are whole: for training
};

struct BrokenSample {
  int index;           ///< in the set
  std::string reason;  ///< names the file
};

/// Counts them per epoch.
class BrokenFiles {
 public:
  /// Of `samples` per epoch, a share of at most `most` may be broken.
  BrokenFiles(int samples, double most, Broken broken = Broken::leave_out)
      : samples_(samples), most_(most), said_(broken == Broken::replace ? "replaced by another: " : "left out: ") {
    check(most >= 0 && most <= 1, "the share of broken samples that is accepted is {}; it must lie in 0 to 1", most);
  }

  /// Throws Error with the list of files when there are too many in this epoch.
  void add(int epoch, const std::vector<BrokenSample>& found) {
    if (epoch != epoch_) restart();
    epoch_ = epoch;
    for (const BrokenSample& sample : found) {
      if (all_.emplace(sample.index, sample.reason).second) news_.push_back(said_ + sample.reason);
      in_epoch_.insert(sample.index);
      ++times_;
    }
    check_running();
  }

  /// Throws the same once more while the epoch goes on.
  void check_running() const {
    if (static_cast<double>(in_epoch_.size()) <= most_ * samples_) return;
    std::string list;
    for (int index : in_epoch_) list += "\n  " + all_.at(index);
    fail(
        "{} of {} samples cannot be read, more than the {} % that are accepted:{}\nRepair these files or "
        "take them out of the set.",
        in_epoch_.size(), samples_, 100 * most_, list);
  }

  /// Forgets what the current epoch has counted.
  void restart() { in_epoch_.clear(); }

  /// Every sample that could not be read, by its place in the set, with the reason, which names the file.
  const std::map<int, std::string>& all() const { return all_; }
  /// A sentence for each that was found since the last call.
  std::vector<std::string> warnings() { return std::exchange(news_, {}); }
  /// How often a sample was left out, or another had to stand in.
  long long times() const { return times_; }

 private:
  int samples_;
  double most_;
  std::string said_;
  int epoch_ = -1;
  std::set<int> in_epoch_;
  std::map<int, std::string> all_;
  std::vector<std::string> news_;
  long long times_ = 0;
};

}  // namespace moecnn::data
