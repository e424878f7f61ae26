// Training on cores that others use, in a process of its own: OpenMP reads its variables once.
#include <doctest/doctest.h>

#include <atomic>

#include "again.hpp"
#include "moecnn/core/core_times.hpp"
#include "moecnn/core/shared_cores.hpp"
#include "moecnn/core/threads.hpp"
#include "tiny.hpp"

using namespace moecnn;

#ifdef _OPENMP
TEST_CASE("child: train in a crowd" * doctest::skip()) {
  std::atomic<bool> stop{false};
  std::vector<std::jthread> crowd;
  for (int i = 0; i < 3 * omp_get_num_procs(); ++i)
    crowd.emplace_back([&] {
      while (!stop) {
      }
    });
  const auto images = tiny_images(640);
  data::Loader batches(images, tiny_loader());
  TinyModel model({8, 8, 8}, {});
  const auto begin = std::chrono::steady_clock::now();
  TrainOpts opts{.epochs = 1'000'000, .progress = {.show = ShowProgress::lines, .to = stdout, .line_seconds = 1e9}};
  opts.should_stop = [&] { return std::chrono::steady_clock::now() - begin > std::chrono::seconds(12); };
  fit(model, batches, opts);
  stop = true;
  std::printf("shared %d\n", detail::whose_cores == Cores::shared);
}

TEST_CASE("in a crowd the trainer says once that threads wait, and programs stop spinning") {
  if (!core_times()) return;  // this system does not tell
  const auto text = run_again("child: train in a crowd", "-u OMP_WAIT_POLICY -u GOMP_SPINCOUNT OMP_NUM_THREADS=2");
  CHECK(number_after(text, "shared") == 1);
  const auto note = text.find("note: ");
  REQUIRE(note != std::string::npos);
  CHECK(text.find("note: ", note + 1) == std::string::npos);
  CHECK(text.find("threads waited", note) != std::string::npos);
}
#endif
