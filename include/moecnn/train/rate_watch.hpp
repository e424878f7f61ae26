#pragma once
/// \file
/// Notices that other programs take the cores that training runs on.

#include "moecnn/core/core_times.hpp"
#include "moecnn/core/format.hpp"
#include "moecnn/train/terminal.hpp"

#include <algorithm>
#include <string>

namespace moecnn {

/// Fed with every record, it says once in its life that other programs slow the training down, when that was true of three
/// stretches in a row, each of two seconds or more. Threads that waited for cores show it, from the first stretch on. Where
/// the system does not count that, the rate does: when it has fallen to a third of the best so far.
class RateWatch {
 public:
  /// A record of training on `threads` threads. `times()`: how long they waited for cores since it was called last, as far
  /// as that is known; called once per stretch. The line to print, or nothing.
  template <class Times>
  std::string add(double images, double seconds, int threads, const Times& times) {
    images_ += images, seconds_ += seconds;
    // One thread loses what others take and no more, and no advice would help it.
    if (said_ || threads == 1 || seconds_ < 2) return {};
    const double rate = images_ / seconds_;
    images_ = seconds_ = 0;
    best_ = std::max(best_, rate);
    const std::optional<CoreTimes> known = times();
    const bool slow = known ? known->waited_share() >= 0.3 : 3 * rate < best_;
    slow_ = slow ? slow_ + 1 : 0;
    if (slow_ < 3) return {};
    said_ = true;
    return formatted(
        "note: {} images/s, {} at best: {}; threads wait less for one another if there are fewer (omp_set_num_threads, "
        "OMP_NUM_THREADS, --threads)",
        rate_text(rate), rate_text(best_),
        known
            ? formatted("threads waited {:.0f} % of their time for cores that others used", 100 * known->waited_share())
            : std::string("other programs may be using the cores"));
  }

 private:
  double images_ = 0, seconds_ = 0, best_ = 0;
  int slow_ = 0;  // stretches in a row
  bool said_ = false;
};

}  // namespace moecnn
