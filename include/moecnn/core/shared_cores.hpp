#pragma once
/// \file
/// Finds out whether other programs use the cores, and then lets waiting threads sleep.

#include "moecnn/core/brief_waits.hpp"
#include "moecnn/core/core_times.hpp"

#include <chrono>
#include <cstdlib>
#include <mutex>

namespace moecnn {

namespace detail {

/// Decides from the waiting times of threads whether the cores are shared, slowly enough not to change with every look.
class CoreSharing {
 public:
  /// One look. `waited`: the share of the time since the last one in which threads waited for a core. Beside one other
  /// program on two cores that is a third; alone it is next to nothing.
  Cores look(double waited) {
    quiet_looks_ = waited < 0.1 ? quiet_looks_ + 1 : 0;
    if (waited >= 0.25) cores_ = Cores::shared;
    if (quiet_looks_ >= 10) cores_ = Cores::own;
    return cores_;
  }

 private:
  Cores cores_ = Cores::own;
  int quiet_looks_ = 0;
};

class CoreWatch {
 public:
  void look() {
    if (thread_count() == 1 || in_parallel_region()) return;
    const std::unique_lock lock(busy_, std::try_to_lock);  // threads with models of their own need no watch each
    if (!lock || decided_by_user_) return;
    const auto now = std::chrono::steady_clock::now();
    if (now - looked_ < std::chrono::milliseconds(250)) return;
    looked_ = now;
    if (!since_) return void(since_.emplace());
    const auto times = since_->next();
    if (!times || times->ran + times->waited < 0.05) return;  // too little to tell
    const Cores found = sharing_.look(times->waited_share());
    whose_cores.store(found, std::memory_order_relaxed);
    if (found == Cores::own)
      brief_.reset();
    else if (!brief_)
      brief_.emplace();
  }

 private:
  std::mutex busy_;
  const bool decided_by_user_ = std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT");
  std::chrono::steady_clock::time_point looked_{};
  std::optional<CoreTimesSince> since_;
  CoreSharing sharing_;
  std::optional<BriefWaits> brief_;
};

}  // namespace detail

/// To be called now and then between parallel regions, as programs do in every step: looks four times a second whether
/// threads have to wait for cores, and if so, keeps BriefWaits and shares less work (see worth_sharing()) until others are
/// gone. If OMP_WAIT_POLICY or GOMP_SPINCOUNT is set, the user has decided how threads wait, and this does nothing.
inline void watch_cores() {
  static detail::CoreWatch watch;
  watch.look();
}

}  // namespace moecnn
