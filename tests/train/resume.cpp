// Stopped and resumed runs end with the bits of a run that was not stopped. Comparisons of bytes stand in double brackets
// so that a failure does not print them.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "io/scratch.hpp"
#include "moecnn/io/json_lines.hpp"
#include "moecnn/train/records.hpp"
#include "moecnn/train/stop_signals.hpp"
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
          .start = Start::resume_or_fresh,
          .settings = {{"net", "tiny"}},
          .log_steps = 4,
          .rehearse_test = false,  // tests count the batches of tests
          .test_at_stop = false,
          .watch_steps = 3,
          .progress = silent()};
}

struct Outcome {
  std::string bits, metrics;
  TrainResult result;
  int tests = 0;  // batches asked for
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

/// When a signal comes: while a source is asked for its batch number `at`.
struct Interrupt {
  int at = 0, signal = 0;
  int asked = 0;  ///< batches so far
};

/// Hands on the batches of a loader.
struct Interrupted {
  data::Loader& loader;
  Interrupt& interrupt;

  const auto& next() {
    if (++interrupt.asked == interrupt.at) ::raise(interrupt.signal);
    return loader.next();
  }
  auto position() const { return loader.position(); }
  void seek(decltype(std::declval<data::Loader&>().position()) to) { loader.seek(to); }
  int batches_per_epoch() const { return loader.batches_per_epoch(); }
  int images_per_epoch() const { return loader.images_per_epoch(); }
};

Outcome sitting(const TrainOpts& opts, std::uint64_t model_seed = 42, Interrupt interrupt = {}) {
  const auto train_set = tiny_images(images), test_set = tiny_images(20, 2);
  data::Loader train(train_set, tiny_loader()), test_batches(test_set, test_loader());
  Interrupted test{test_batches, interrupt};
  // The plain balance::None keeps a noisy gate without a bar: noise has to go on, too.
  TinyModel model({.n = 8, .h = 8, .w = 8}, {.seed = model_seed});
  Outcome o;
  o.result = fit(model, train, test, opts);
  o.tests = interrupt.asked;
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
    CHECK(second.result.test->top1() == truth.result.test->top1());
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

TEST_CASE("a signal finishes the step and writes a checkpoint, and so does should_stop") {
  const Scratch whole;
  const Outcome truth = sitting(options(whole.dir()));
  for (const int how : {SIGTERM, SIGINT, SIGHUP, 0}) {
    const Scratch out;
    TrainOpts opts = options(out.dir());
    bool stop = false;
    opts.on_step = [&](const StepInfo& s) {
      if (s.step != 4) return;
      if (how)
        ::raise(how);
      else
        stop = true;
      if (how == SIGHUP) ::raise(how);  // a terminal that closes sends two
    };
    opts.should_stop = [&] { return stop; };
    const Outcome first = sitting(opts);
    CHECK(first.result.ended == Ended::stopped);
    CHECK(first.result.signal == how);
    CHECK(first.result.step == 4);
    CHECK(has(first.result.goodbye, how ? StopSignals::name_of(how) : "request"));
    CHECK(has(first.result.goodbye, "after step 4"));
    CHECK(has(first.result.goodbye, "resumed, goes on from there"));
    CHECK((sitting(options(out.dir())).bits == truth.bits));
  }
}

TEST_CASE("a SIGHUP that was ignored before, as under nohup, stays ignored") {
  const Scratch out;
  const auto before = std::signal(SIGHUP, SIG_IGN);
  TrainOpts opts = options(out.dir());
  opts.on_step = [&](const StepInfo& s) {
    if (s.step == 4) ::raise(SIGHUP);
  };
  CHECK(sitting(opts).result.ended == Ended::all_epochs);
  std::signal(SIGHUP, before);
}

TEST_CASE("a signal stops a test within a batch, and the resumed run makes the test again") {
  const Scratch whole;
  const Outcome truth = sitting(options(whole.dir()));
  for (const int at : {1, 2, 5}) {  // of three batches per test
    CAPTURE(at);
    const Scratch out;
    const Outcome first = sitting(options(out.dir()), 42, {.at = at, .signal = SIGTERM});
    CHECK(first.tests == at);
    CHECK(first.result.ended == Ended::stopped);
    CHECK(first.result.step == (at < 4 ? batches : 2 * batches));
    CHECK(first.result.epochs.size() == (at < 4 ? 0 : 1));
    const Outcome second = sitting(options(out.dir()), 77);
    CHECK(second.result.resumed);
    CHECK((second.bits == truth.bits));
    CHECK(second.metrics == truth.metrics);
    CHECK(second.result.ended == Ended::all_epochs);
    CHECK((bytes_of(out / "last.safetensors") == bytes_of(whole / "last.safetensors")));
  }
}

TEST_CASE("more epochs may be added to a run; other settings are refused by name") {
  const Scratch out;
  sitting(options(out.dir()));
  TrainOpts more = options(out.dir());
  more.epochs = 3;
  const TrainResult longer = sitting(more).result;
  CHECK(longer.epochs.size() == 3);
  CHECK(has(longer.goodbye, "3 of 3 epochs"));
  CHECK_FALSE(has(longer.goodbye, "nothing was left"));
  // Once more with the same number there is nothing to do; with fewer it is a mistake.
  const Outcome again = sitting(more);
  CHECK(has(again.result.goodbye, "nothing was left to do, give more epochs to go on: 3 of 3 epochs, 18 steps"));
  CHECK(again.result.ended == Ended::all_epochs);
  CHECK(again.result.epochs.size() == 3);
  const auto fewer = error_of([&] { sitting(options(out.dir())); });
  INFO(fewer);
  CHECK(has(fewer, "has done 3 epochs, but the number of epochs is 2; ask for all that it has done"));
  more.epochs = 4, more.max_steps = 20;
  sitting(more);
  more.epochs = 3;
  CHECK(has(error_of([&] { sitting(more); }), "has done more than 3 epochs, but the number of epochs is 3"));
  TrainOpts other = options(out.dir());
  other.optimizer = Sgd{};
  other.settings = {{"net", "large"}, {"data", "other"}};
  const auto text = error_of([&] { sitting(other); });
  INFO(text);
  CHECK(has(text, "net was 'tiny', is now 'large'"));
  CHECK(has(text, "optimizer was 'adam"));
  CHECK(has(text, "data was not given, is now 'other'"));
  TrainOpts fresh = other;
  fresh.start = Start::overwrite;
  CHECK_FALSE(sitting(fresh).result.resumed);
}

TEST_CASE("threads, spelling of paths and other notes may change, also where they are no UTF-8; settings may by name") {
  const Scratch out;
  TrainOpts first = options(out.dir(), 4);
  first.settings.emplace_back("file", "data/\xff\xfe");
  first.notes = {{"data", "data/\xff"}, {"threads", "2"}};
  sitting(first);
  TrainOpts second = options(out.dir());
  second.start = Start::resume;
  second.settings = first.settings;
  second.notes = {{"data", "../data/\xff"}, {"threads", "1"}};
  second.epochs = 3;
  CHECK(sitting(second).result.epochs.size() == 3);

  const Scratch other;
  TrainOpts cosine = options(other.dir(), 4);
  cosine.schedule = schedule::Cosine{.base = 1e-3, .epochs = epochs};
  sitting(cosine);
  cosine.epochs = 4, cosine.max_steps = 0;
  cosine.schedule = schedule::Cosine{.base = 1e-3, .epochs = 4};
  const auto text = error_of([&] { sitting(cosine); });
  INFO(text);
  CHECK(has(text, "learning rate was 'cosine 0.001 to 0 over 2 epochs, warm-up 0', is now 'cosine 0.001 to 0 over 4"));
  CHECK(has(text, "accept the changes by their names"));
  cosine.accept = {"learning rate"};
  std::FILE* const screen = std::tmpfile();
  REQUIRE(screen);
  cosine.progress = {.show = ShowProgress::lines, .to = screen};
  CHECK(sitting(cosine).result.epochs.size() == 4);
  std::string said(static_cast<std::size_t>(std::ftell(screen)), '\0');
  std::rewind(screen);
  REQUIRE(std::fread(said.data(), 1, said.size(), screen) == said.size());
  std::fclose(screen);
  INFO(said);
  CHECK(has(said, "note: from here on with other settings: learning rate was 'cosine 0.001 to 0 over 2 epochs"));
}

TEST_CASE("a run whose log is lost still knows which weights were the best") {
  for (const double third : {0.5, 0.75}) {
    const Scratch dir;
    std::vector<double> scores{0.625, 0.25, third};
    const auto sit = [&](std::int64_t stop) {
      TrainOpts opts = options(dir.dir(), stop);
      opts.epochs = 3;
      opts.keep_best = true;
      opts.test = [&](const StopAsked&) {
        const TestRecord found{.images = 20, .scores = {{"top1", scores.front()}}};
        scores.erase(scores.begin());
        return found;
      };
      return sitting(opts);
    };
    sit(batches + 2);
    const std::string best = bytes_of(dir / "best.safetensors");
    REQUIRE_FALSE(best.empty());
    std::filesystem::remove(dir / "metrics.jsonl");
    const Outcome second = sit(0);
    CHECK(second.result.resumed);
    CHECK(second.result.epochs.size() == 2);
    CHECK((bytes_of(dir / "best.safetensors") == best) == (third < 0.625));
  }
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
