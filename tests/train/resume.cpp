// Stopped and resumed runs end with the bits of a run that was not stopped. Comparisons of bytes stand in double brackets
// so that a failure does not print them.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>

#include <chrono>
#include <thread>

#include "io/scratch.hpp"
#include "train/tiny.hpp"

using namespace moecnn;

namespace {

constexpr int images = 44, batches = 6, epochs = 2;  // the last batch has 4 images

TrainOpts options(const std::filesystem::path& out, std::int64_t max_steps = 0) {
  return {.epochs = epochs,
          .max_steps = max_steps,
          .optimizer = Adam{},
          .schedule = schedule::Steps{.base = 5e-3, .last = {0}},
          .clip_norm = 1,
          .out = out,
          .start = Start::resume,
          .settings = {{"net", "tiny"}},
          .log_steps = 4,
          .test_at_stop = false,
          .watch_steps = 3,
          .progress = silent()};
}

struct Outcome {
  std::string bits, metrics;
  TrainResult result;
};

/// metrics.jsonl without what depends on the clock.
std::string steady(const std::filesystem::path& path) {
  std::string text;
  for (const io::Json& line : io::read_json_lines(path)) {
    for (const auto& [name, value] : line.members())
      if (name != "images_per_s" && name != "seconds") text += fmt::format("{}={} ", name, value.dump());
    text += '\n';
  }
  return text;
}

Outcome sitting(const TrainOpts& opts, std::uint64_t model_seed = 42) {
  const auto train_set = tiny_images(images), test_set = tiny_images(20, 2);
  data::Loader train(train_set, tiny_loader()), test(test_set, test_loader());
  // The plain balance::None keeps a noisy gate without a bar: noise has to go on, too.
  TinyModel model({.n = 8, .h = 8, .w = 8}, {.seed = model_seed});
  Outcome o;
  o.result = fit(model, train, test, opts);
  o.bits = bits_of(model.params());
  o.metrics = steady(opts.out / "metrics.jsonl");
  return o;
}

}  // namespace

TEST_CASE("a run stopped after any step and resumed ends with the same bits, records and files") {
  const Scratch whole;
  const Outcome truth = sitting(options(whole.dir()));
  REQUIRE(truth.result.step == batches * epochs);
  CHECK_FALSE(truth.result.resumed);
  for (int stop = 1; stop <= batches * epochs; ++stop) {
    CAPTURE(stop);
    const Scratch out;
    const Outcome first = sitting(options(out.dir(), stop));
    CHECK(first.result.step == stop);
    CHECK(first.result.ended == (stop < batches * epochs ? Ended::max_steps : Ended::all_epochs));
    // The second model begins with other weights: all of them have to come from the file.
    const Outcome second = sitting(options(out.dir()), 77);
    CHECK(second.result.resumed);
    CHECK((second.bits == truth.bits));
    CHECK(second.metrics == truth.metrics);
    CHECK((bytes_of(out / "last.safetensors") == bytes_of(whole / "last.safetensors")));
    REQUIRE(second.result.steps.size() == truth.result.steps.size());
    CHECK(second.result.steps.back().loss == truth.result.steps.back().loss);
    CHECK(second.result.epochs.size() == truth.result.epochs.size());
    CHECK(second.result.warnings == truth.result.warnings);
    CHECK(second.result.test->top1 == truth.result.test->top1);
  }
}

TEST_CASE("one step per sitting, too") {
  const Scratch whole, out;
  const Outcome truth = sitting(options(whole.dir()));
  for (int stop = 1; stop < batches * epochs; ++stop) sitting(options(out.dir(), stop), stop == 1 ? 42 : 77);
  const Outcome last = sitting(options(out.dir()));
  CHECK((last.bits == truth.bits));
  CHECK(last.metrics == truth.metrics);
}

TEST_CASE("the gates' noise goes on with its step") {
  using Noisy = Model<TinyNet<balance::None, constraint::None>, backend::Reference<float>>;
  const auto set = tiny_images(images);
  const auto run = [&](const std::filesystem::path& out, std::int64_t stop) {
    data::Loader train(set, tiny_loader());
    Noisy model({.n = 8, .h = 8, .w = 8});
    REQUIRE(model.params().find("mix.gate.noise.weight") >= 0);
    fit(model, train, options(out, stop));
    return bits_of(model.params());
  };
  const Scratch whole, out;
  const std::string truth = run(whole.dir(), 0);
  run(out.dir(), 3);
  CHECK(run(out.dir(), 0) == truth);
}

TEST_CASE("a warning about a dead expert comes in the same step, and once, wherever the run is stopped") {
  using Plain = Model<TinyNet<balance::None, constraint::None>, backend::Reference<float>>;
  const auto set = tiny_images(images);
  const auto run = [&](const std::filesystem::path& out, std::int64_t stop) {
    data::Loader train(set, tiny_loader());
    Plain model({.n = 8, .h = 8, .w = 8});
    const std::vector<float> bias{50, 50, -50};
    model.params().write(model.params().find("mix.gate.fc.bias"), bias.data());
    TrainOpts opts = options(out, stop);
    opts.noise = false;
    opts.watch_steps = 4;
    fit(model, train, opts);
    return steady(out / "metrics.jsonl");
  };
  const Scratch whole;
  const std::string truth = run(whole.dir(), 0);
  CHECK(read_metrics(whole / "metrics.jsonl").warnings.size() == 1);
  for (int stop = 1; stop < 8; ++stop) {
    CAPTURE(stop);
    const Scratch out;
    run(out.dir(), stop);
    CHECK((run(out.dir(), 0) == truth));
  }
}

TEST_CASE("SIGTERM finishes the step and writes a checkpoint; SIGINT and should_stop likewise") {
  const Scratch whole;
  const Outcome truth = sitting(options(whole.dir()));
  for (const int how : {SIGTERM, SIGINT, 0}) {
    const Scratch out;
    TrainOpts opts = options(out.dir());
    bool stop = false;
    opts.on_step = [&](const StepInfo& s) {
      if (s.step != 4) return;
      if (how)
        ::raise(how);
      else
        stop = true;
    };
    opts.should_stop = [&] { return stop; };
    const Outcome first = sitting(opts);
    CHECK(first.result.ended == Ended::stopped);
    CHECK(first.result.step == 4);
    CHECK(has(first.result.goodbye, how == SIGTERM ? "SIGTERM" : how == SIGINT ? "SIGINT" : "request"));
    CHECK(has(first.result.goodbye, "--resume"));
    CHECK((sitting(options(out.dir())).bits == truth.bits));
  }
}

TEST_CASE("more epochs may be added to a run; other settings are refused by name") {
  const Scratch out;
  sitting(options(out.dir()));
  TrainOpts more = options(out.dir());
  more.epochs = 3;
  CHECK(sitting(more).result.epochs.size() == 3);
  TrainOpts other = options(out.dir());
  other.optimizer = Sgd{};
  other.settings = {{"net", "large"}, {"data", "other"}};
  const auto text = error_of([&] { sitting(other); });
  INFO(text);
  CHECK(has(text, "net was 'tiny', is now 'large'"));
  CHECK(has(text, "optimizer was 'adam"));
  CHECK(has(text, "data was not given, is now 'other'"));
  TrainOpts fresh = other;
  fresh.start = Start::fresh;
  CHECK_FALSE(sitting(fresh).result.resumed);
}

TEST_CASE("a resumed run whose log is lost keeps its best weights") {
  const Scratch dir;
  sitting(options(dir.dir(), 2));
  put_bytes(dir / "best.safetensors", "dear");
  std::filesystem::remove(dir / "metrics.jsonl");
  CHECK(sitting(options(dir.dir(), 4)).result.resumed);
  CHECK(bytes_of(dir / "best.safetensors") == "dear");
}

// Started by the test below in a process of its own, which is killed.
TEST_CASE("victim" * doctest::skip()) {
  const char* out = std::getenv("MOECNN_TEST_VICTIM");
  REQUIRE(out);
  TrainOpts opts = options(out);
  opts.epochs = 30;
  opts.checkpoint_steps = 3;
  sitting(opts, static_cast<std::uint64_t>(::getpid()));  // weights of its own until there is a checkpoint
}

namespace {

/// Runs the victim; kills it after that time (negative: not). Returns true when it ended by itself.
bool run_victim(const std::filesystem::path& out, int milliseconds) {
  const std::string setting = "MOECNN_TEST_VICTIM=" + out.string();
  std::vector<std::string> environment{setting};
  for (char** e = environ; *e; ++e) environment.emplace_back(*e);
  std::vector<char*> env;
  for (std::string& e : environment) env.push_back(e.data());
  env.push_back(nullptr);
  std::string args[] = {"victim", "--test-case=victim", "--no-skip", "--minimal", "--no-intro=1"};
  std::vector<char*> argv;
  for (std::string& a : args) argv.push_back(a.data());
  argv.push_back(nullptr);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::execve("/proc/self/exe", argv.data(), env.data());
    ::_exit(127);
  }
  if (milliseconds >= 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    ::kill(child, SIGKILL);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  if (WIFEXITED(status)) REQUIRE(WEXITSTATUS(status) == 0);
  return WIFEXITED(status);
}

}  // namespace

TEST_CASE("a run that is killed again and again ends with the same bits") {
  const Scratch whole, out;
  // Both must begin with the same weights whatever process they are in: a checkpoint of step 0 gives them.
  for (const Scratch* s : {&whole, &out}) {
    TrainOpts opts = options(s->dir(), 1);
    opts.epochs = 30;
    sitting(opts);
  }
  const auto start = std::chrono::steady_clock::now();
  REQUIRE(run_victim(whole.dir(), -1));
  const auto takes = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
  const Rng rng(static_cast<std::uint64_t>(::getpid()), Purpose::other);
  int kills = 0;
  for (int i = 0; i < 10; ++i) {
    const auto wait = static_cast<int>(rng.below(static_cast<std::uint64_t>(takes.count()) / 4 + 1, i));
    if (run_victim(out.dir(), wait)) break;
    ++kills;
  }
  MESSAGE("killed ", kills, " times");
  CHECK(kills >= 1);
  REQUIRE(run_victim(out.dir(), -1));
  CHECK((bytes_of(out / "last.safetensors") == bytes_of(whole / "last.safetensors")));
  CHECK(steady(out / "metrics.jsonl") == steady(whole / "metrics.jsonl"));
}
