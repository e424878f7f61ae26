// Two runs in one folder, and runs on a disk that fails.
#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <csignal>
#include <optional>

#include "io/scratch.hpp"
#include "moecnn/train/records.hpp"
#include "train/tiny.hpp"

using namespace moecnn;

namespace {

struct Flushed {
  std::string file;
  std::uintmax_t size;
};
std::vector<Flushed>* flushed = nullptr;  // while a test looks

}  // namespace

// Every flush of this program passes here.
extern "C" int fsync(int fd) {
  if (flushed) {
    std::error_code none;  // folders have no size
    const auto path = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd), none);
    flushed->push_back({path.filename().string(), std::filesystem::file_size(path, none)});
  }
  return static_cast<int>(::syscall(SYS_fsync, fd));
}

namespace {

constexpr int batches = 6;

TrainOpts options(const std::filesystem::path& out, Start start, std::int64_t max_steps = 0) {
  return {.epochs = 2,
          .max_steps = max_steps,
          .schedule = schedule::Constant{5e-3},
          .out = out,
          .start = start,
          .keep_best = true,
          .log_steps = 4,
          .test_at_stop = false,
          .progress = silent()};
}

struct Sitting {
  TrainResult result;
  std::string bits;
};

Sitting sit(const TrainOpts& opts) {
  const auto train_set = tiny_images(44), test_set = tiny_images(20, 2);
  data::Loader train(train_set, tiny_loader()), test(test_set, test_loader());
  TinyModel model({.n = 8, .h = 8, .w = 8});
  Sitting s;
  s.result = fit(model, train, test, opts);
  s.bits = bits_of(model.params());
  return s;
}

/// Names, contents and times of all files.
std::vector<std::string> state_of(const Scratch& folder) {
  std::vector<std::string> all;
  for (const auto& f : std::filesystem::directory_iterator(folder.dir()))
    all.push_back(
        fmt::format("{} {} {}", f.path().string(), bytes_of(f.path()), f.last_write_time().time_since_epoch().count()));
  std::sort(all.begin(), all.end());
  return all;
}

/// While it is on, no file of this process can grow.
class FullDisk {
 public:
  FullDisk() : handler_(std::signal(SIGXFSZ, SIG_IGN)) { ::getrlimit(RLIMIT_FSIZE, &before_); }
  ~FullDisk() {
    full(false);
    std::signal(SIGXFSZ, handler_);
  }
  void full(bool on) {
    rlimit now = before_;
    if (on) now.rlim_cur = 1;
    ::setrlimit(RLIMIT_FSIZE, &now);
  }

 private:
  void (*handler_)(int);
  rlimit before_{};
};

}  // namespace

TEST_CASE("a fresh start leaves a run alone that has made a step, whether it ended or not") {
  for (const int stop : {1, 8, 0}) {
    CAPTURE(stop);
    const Scratch out;
    sit(options(out.dir(), Start::fresh, stop));
    const auto before = state_of(out);
    const auto text = error_of([&] { sit(options(out.dir(), Start::fresh)); });
    INFO(text);
    CHECK(has(text, out.dir().string() + " holds a run of " +
                        (stop == 1 ? "1 step;"
                         : stop    ? "8 steps;"
                                   : "12 steps;")));
    CHECK((state_of(out) == before));
    CHECK_FALSE(sit(options(out.dir(), Start::overwrite)).result.resumed);
    CHECK(sit(options(out.dir(), Start::resume)).result.resumed);
  }
}

TEST_CASE("a checkpoint of step 0 is in nobody's way, one that cannot be read is") {
  const Scratch out;
  TrainOpts none = options(out.dir(), Start::fresh);
  none.should_stop = [] { return true; };
  none.on_start = [] { fail("a file of the program could not be written"); };
  CHECK(has(error_of([&] { sit(none); }), "of the program"));
  CHECK(checkpoint_step(out / "checkpoint.safetensors") == 0);
  CHECK_FALSE(sit(options(out.dir(), Start::fresh, 1)).result.resumed);
  put_bytes(out / "checkpoint.safetensors", "no checkpoint");
  CHECK(has(error_of([&] { sit(options(out.dir(), Start::fresh)); }), "a checkpoint that cannot be read"));
  CHECK(bytes_of(out / "checkpoint.safetensors") == "no checkpoint");
}

TEST_CASE("resuming where there is nothing is an error, unless a fresh start was allowed, too") {
  const Scratch out;
  const auto wrong = out / "tpyo";
  const auto text = error_of([&] { sit(options(wrong, Start::resume)); });
  INFO(text);
  CHECK(has(text, wrong.string() + " holds no checkpoint"));
  CHECK_FALSE(std::filesystem::exists(wrong));
  CHECK(has(error_of([&] { sit(options({}, Start::resume)); }), "without a folder"));
  CHECK_FALSE(sit(options(wrong, Start::resume_or_fresh, 2)).result.resumed);
  CHECK(sit(options(wrong, Start::resume_or_fresh, 3)).result.resumed);
}

TEST_CASE("a second run in a folder at the same time is refused and disturbs nothing") {
  const Scratch out, alone;
  const Sitting truth = sit(options(alone.dir(), Start::fresh));
  TrainOpts first = options(out.dir(), Start::fresh);
  std::string texts;
  first.on_step = [&](const StepInfo& s) {
    if (s.step != 3 && s.step != 9) return;
    for (const Start start : {Start::fresh, Start::resume, Start::resume_or_fresh, Start::overwrite})
      texts += error_of([&] { sit(options(out.dir(), start)); }) + '\n';
  };
  CHECK((sit(first).bits == truth.bits));
  INFO(texts);
  int refused = 0;
  for (std::size_t at = 0;
       (at = texts.find("(process " + std::to_string(::getpid()) + ") is writing into " + out.dir().string(), at)) !=
       texts.npos;
       ++at)
    ++refused;
  CHECK(refused == 7);  // and the fresh one of step 9 by the checkpoint of step 6
  CHECK(sit(options(out.dir(), Start::resume)).result.steps.size() == truth.result.steps.size());
}

TEST_CASE("the log is on the disk before the checkpoint that knows of it") {
  const Scratch out;
  std::vector<Flushed> seen;
  flushed = &seen;
  TrainOpts opts = options(out.dir(), Start::fresh);
  opts.checkpoint_steps = 1;
  std::vector<std::uintmax_t> sizes;  // of the log, at each step's end
  opts.on_step = [&](const StepInfo&) { sizes.push_back(std::filesystem::file_size(out / "metrics.jsonl")); };
  sit(opts);
  flushed = nullptr;
  std::uintmax_t log = 0;
  std::size_t checkpoints = 0;
  for (const Flushed& f : seen) {
    if (f.file == "metrics.jsonl") log = f.size;
    if (f.file != "checkpoint.safetensors.partial") continue;
    if (checkpoints++ > 0) CHECK(log >= sizes.at(checkpoints - 2));  // the first is that of step 0
  }
  CHECK(checkpoints == 2 * batches + 1);
  CHECK(log == std::filesystem::file_size(out / "metrics.jsonl"));
}

TEST_CASE("a disk that is full for a while ends no run, and nothing is lost") {
  const Scratch alone, out;
  const Sitting truth = sit(options(alone.dir(), Start::fresh));
  FullDisk disk;
  TrainOpts opts = options(out.dir(), Start::fresh);
  opts.checkpoint_steps = 1;
  opts.on_step = [&](const StepInfo& s) {
    if (s.step == 3 || s.step == 8) disk.full(s.step == 3);
    if (s.step == 8) CHECK(checkpoint_step(out / "checkpoint.safetensors") == 2);
    if (s.step == 9) CHECK(checkpoint_step(out / "checkpoint.safetensors") == 8);
  };
  const Sitting run = sit(opts);
  CHECK((run.bits == truth.bits));
  REQUIRE(run.result.warnings.size() == 2);
  CHECK(has(run.result.warnings[0], "step 3: no checkpoint is written: "));
  CHECK(has(run.result.warnings[0], "that of step 2 is kept"));
  CHECK(has(run.result.warnings[1], "step 6: the best weights"));
  CHECK(checkpoint_step(out / "checkpoint.safetensors") == 12);
  const TrainResult log = read_metrics(out / "metrics.jsonl");
  CHECK(log.steps.size() == truth.result.steps.size());
  CHECK(log.epochs.size() == 2);
  CHECK(log.warnings == run.result.warnings);
  CHECK((bytes_of(out / "last.safetensors") == bytes_of(alone / "last.safetensors")));
}

TEST_CASE("a run whose last checkpoint cannot be written says so, and its last good one goes on to the same bits") {
  const Scratch alone, out;
  const Sitting truth = sit(options(alone.dir(), Start::fresh));
  {
    FullDisk disk;
    TrainOpts opts = options(out.dir(), Start::fresh);
    opts.checkpoint_steps = 1;
    opts.on_step = [&](const StepInfo& s) {
      if (s.step == 8) disk.full(true);
    };
    const auto text = error_of([&] { sit(opts); });
    INFO(text);
    CHECK(has(text, "the run is at step 12, but its state could not be written"));
    CHECK(has(text, "holds step 7"));
  }
  CHECK((sit(options(out.dir(), Start::resume)).bits == truth.bits));
}

TEST_CASE("a folder that cannot be written from the start is an error at once") {
  const Scratch out;
  FullDisk disk;
  disk.full(true);
  int steps = 0;
  TrainOpts opts = options(out.dir(), Start::fresh);
  opts.on_step = [&](const StepInfo&) { ++steps; };
  const auto text = error_of([&] { sit(opts); });
  disk.full(false);
  CHECK(has(text, "cannot write"));
  CHECK(steps == 0);
}
