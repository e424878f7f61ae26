// Training programs that are interrupted, started twice, or told a wrong folder.
#include <doctest/doctest.h>

#include "examples/program.hpp"
#include "io/scratch.hpp"

namespace {

struct Example {
  ExampleProgram program;
  Words train;  ///< a run of many short steps
};

std::vector<Example> examples(const std::filesystem::path& out) {
  const Words common{"--epochs", "1000", "--threads", "1", "--checkpoint-steps", "1", "--out", out};
  std::vector<Example> all{
      {ExampleProgram("cifar100"), {"train", "--data", "synthetic", "--images", "8", "--batch", "2"}},
      {ExampleProgram("segmentation"),
       {"train", "--dataset", "synthetic", "--size", "48x64", "--images", "4", "--batch", "2", "--no-report"}}};
  for (Example& e : all) e.train.insert(e.train.end(), common.begin(), common.end());
  return all;
}

}  // namespace

TEST_CASE("the exit status is that of the signal, and a second run leaves the first one alone") {
  for (std::size_t i = 0; i < 2; ++i)
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
      const Scratch out;
      const Example e = examples(out.dir()).at(i);
      if (!e.program.there()) {
        MESSAGE("skipped: a program is missing in MOECNN_EXAMPLES; build the examples");
        continue;
      }
      CAPTURE(i);
      CAPTURE(signal);
      const auto log = out / "metrics.jsonl";
      const Ran ran = e.program.killed(
          e.train, [&] { return has(bytes_of(log), "\"kind\":\"epoch\""); }, signal);
      INFO(ran.output);
      CHECK(ran.status == 128 + signal);
      CHECK(has(ran.output, "stopped by SIG"));
      CHECK(has(ran.output, "--resume"));
      CHECK_FALSE(has(ran.output, "Start::"));
      if (signal != SIGINT) continue;
      const std::string before = bytes_of(log) + bytes_of(out / "checkpoint.safetensors");
      const Ran again = e.program(e.train);
      INFO(again.output);
      CHECK(again.status == 1);
      CHECK(has(again.output, out.dir().string() + " holds a run of "));
      CHECK((bytes_of(log) + bytes_of(out / "checkpoint.safetensors") == before));
      Words typo = e.train;
      typo.back() += "_typo";
      typo.push_back("--resume");
      const Ran wrong = e.program(typo);
      CHECK(wrong.status == 1);
      CHECK(has(wrong.output, "_typo holds no checkpoint"));
      CHECK_FALSE(std::filesystem::exists(out.dir().string() + "_typo"));
    }
}

TEST_CASE("what a program said before it was killed is in the file that it wrote to") {
  for (std::size_t i = 0; i < 2; ++i) {
    const Scratch out;
    const Example e = examples(out.dir()).at(i);
    if (!e.program.there()) continue;
    const Ran ran =
        e.program.killed(e.train, [&] { return has(bytes_of(out / "metrics.jsonl"), "\"kind\":\"epoch\""); });
    INFO(ran.output);
    CHECK(ran.status == -1);
    CHECK(has(ran.output, " parameters"));
  }
}
