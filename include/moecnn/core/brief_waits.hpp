#pragma once
/// \file
/// Threads that release their core while they wait.

#include "moecnn/core/threads.hpp"

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>

namespace moecnn {

/// While one lives, the threads of parallel regions sleep when they have waited for a microsecond. GNU's OpenMP lets them
/// spin for some milliseconds otherwise, the best there is on a quiet machine; beside other programs the one that they
/// wait for may need the very core they hold. OMP_WAIT_POLICY and GOMP_SPINCOUNT are read when a program is loaded, too
/// early for us. But the spinning is brief as long as there are more OpenMP threads than cores (libgomp's manual,
/// GOMP_SPINCOUNT), so this keeps a sleeping team beside the one that works. Results do not depend on it. With another
/// OpenMP it does nothing.
class BriefWaits {
 public:
#if defined(_OPENMP) && defined(__GNUC__) && !defined(__clang__)
  static constexpr bool works = true;
  BriefWaits() : team_(std::make_shared<Team>()) {
    const int size = std::max(2, omp_get_num_procs() - thread_count() + 2);  // one more thread than cores, in all
    // Detached: in a forked child the thread does not exist, so it must not be joined.
    std::thread([team = team_, size] {
#pragma omp parallel num_threads(size)
      team->members.fetch_add(1);  // a region without content would be left out
      team->released.wait(false);
    }).detach();
  }
  ~BriefWaits() {
    team_->released = true;
    team_->released.notify_all();
  }
#else
  static constexpr bool works = false;
  BriefWaits() = default;
  ~BriefWaits() {}
#endif
  BriefWaits(const BriefWaits&) = delete;
  BriefWaits& operator=(const BriefWaits&) = delete;

 private:
  struct Team {
    std::atomic<int> members{0};
    std::atomic<bool> released{false};
  };
  std::shared_ptr<Team> team_;
};

}  // namespace moecnn
