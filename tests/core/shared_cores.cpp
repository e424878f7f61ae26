#include "moecnn/core/shared_cores.hpp"

#include <doctest/doctest.h>
#include <time.h>

#include <thread>
#include <vector>

#include "again.hpp"

using namespace moecnn;
using namespace std::chrono_literals;

namespace {

double cpu_seconds() {
  timespec t{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

int sink = 0;

/// Milliseconds of a core that waiting for the next parallel region takes, on the mean of some regions.
[[maybe_unused]] double waiting_ms() {
  constexpr int regions = 10;
  double sum = 0;
  for (int i = 0; i < regions; ++i) {
#pragma omp parallel num_threads(2)
    {
#pragma omp atomic
      ++sink;
    }
    const double before = cpu_seconds();
    std::this_thread::sleep_for(20ms);
    sum += cpu_seconds() - before;
  }
  return 1e3 * sum / regions;
}

}  // namespace

TEST_CASE("cores are shared as soon as threads wait for them, and their own after ten quiet looks") {
  detail::CoreSharing sharing;
  for (const double waited : {0.0, 0.05, 0.2, 0.24}) CHECK(sharing.look(waited) == Cores::own);
  CHECK(sharing.look(0.3) == Cores::shared);
  for (int i = 0; i < 9; ++i) CHECK(sharing.look(0.02) == Cores::shared);
  CHECK(sharing.look(0.15) == Cores::shared);  // not quiet: the count begins again
  for (int i = 0; i < 9; ++i) CHECK(sharing.look(0.02) == Cores::shared);
  CHECK(sharing.look(0.02) == Cores::own);
  CHECK(sharing.look(0.02) == Cores::own);
  CHECK(sharing.look(0.9) == Cores::shared);
}

TEST_CASE("times of the threads are counted") {
  const CoreTimes sum{3, 1};
  CHECK(sum.waited_share() == 0.25);
  CHECK(CoreTimes{}.waited_share() == 0);
  CoreTimesSince since;
  if (!core_times()) return;  // this system does not tell
  const double before = cpu_seconds();
  while (cpu_seconds() - before < 0.05) ++sink;
  const auto times = since.next();
  REQUIRE(times);
  CHECK(times->ran >= 0.03);
  CHECK(times->ran < 10);
  CHECK(times->waited >= 0);
}

#ifdef _OPENMP
TEST_CASE("child: what waiting costs" * doctest::skip()) {
  std::printf("long %.3f\n", waiting_ms());
  {
    const BriefWaits brief;
    std::this_thread::sleep_for(200ms);  // until it is there
    std::printf("brief %.3f\n", waiting_ms());
  }
  std::this_thread::sleep_for(200ms);
  std::printf("again %.3f\n", waiting_ms());
}

TEST_CASE("while BriefWaits lives, waiting threads give their core away") {
  if (!BriefWaits::works) return;
  const auto text =
      run_again("child: what waiting costs", "-u OMP_WAIT_POLICY -u GOMP_SPINCOUNT -u OMP_PROC_BIND OMP_NUM_THREADS=2");
  CAPTURE(text);
  CHECK(number_after(text, "brief") < 0.5);
  if (omp_get_num_procs() < 2) return;  // two threads on one core: libgomp's own waits are brief
  CHECK(number_after(text, "long") > 4 * number_after(text, "brief"));
  CHECK(number_after(text, "again") > 4 * number_after(text, "brief"));
}

TEST_CASE("child: watch crowded cores" * doctest::skip()) {
  std::atomic<bool> stop{false};
  std::vector<std::jthread> crowd;
  for (int i = 0; i < 3 * omp_get_num_procs(); ++i)
    crowd.emplace_back([&] {
      while (!stop) {
      }
    });
  const auto begin = std::chrono::steady_clock::now();
  while (detail::whose_cores == Cores::own && std::chrono::steady_clock::now() - begin < 5s) {
    watch_cores();
    std::this_thread::sleep_for(5ms);
  }
  stop = true;
  std::printf("shared %d\n", detail::whose_cores == Cores::shared);
}

TEST_CASE("the watch finds crowded cores, and does nothing where the user has decided how threads wait") {
  if (!core_times()) return;
  const std::string name = "child: watch crowded cores", free = "-u OMP_WAIT_POLICY -u GOMP_SPINCOUNT ";
  CHECK(number_after(run_again(name, free + "OMP_NUM_THREADS=2"), "shared") == 1);
  CHECK(number_after(run_again(name, free + "OMP_NUM_THREADS=1"), "shared") == 0);  // no thread to wait for
  CHECK(number_after(run_again(name, "OMP_NUM_THREADS=2 OMP_WAIT_POLICY=active"), "shared") == 0);
  CHECK(number_after(run_again(name, "-u OMP_WAIT_POLICY OMP_NUM_THREADS=2 GOMP_SPINCOUNT=9"), "shared") == 0);
}
#endif
