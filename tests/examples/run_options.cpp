// options.json beside weights, which both programs read.
#if __has_include(<CLI/CLI.hpp>)
#include "../../examples/common/run_options.hpp"

#include <doctest/doctest.h>

#include "io/scratch.hpp"

using namespace moecnn;

namespace {

/// A program with two commands that share variables, as the example programs have them.
struct Commands {
  int experts = 4;
  double weight = 0.5;
  std::string gate = "gap", out = "out/default";
  bool augment = true;
  CLI::App app;
  CLI::App *train = app.add_subcommand("train"), *eval = app.add_subcommand("eval");

  Commands() {
    train->add_option("--experts", experts)->check(CLI::Range(1, 1024));
    train->add_option("--weight", weight)->check(CLI::NonNegativeNumber);
    train->add_option("--gate", gate)->check(CLI::IsMember({"gap", "conv"}));
    train->add_option("--out", out);
    train->add_flag("!--no-augment", augment);
    eval->add_option("--experts", experts)->check(CLI::Range(1, 1024));
  }
  Settings lasting() const {
    return {{"experts", std::to_string(experts)},
            {"weight", formatted("{}", weight)},
            {"gate", gate},
            {"no-augment", augment ? "" : "true"}};
  }
  void take(const std::filesystem::path& folder) {
    const auto typed = [&](const std::string& name) {
      const CLI::Option* option = eval->get_option_no_throw("--" + name);
      return option && option->count() > 0;
    };
    run_options::apply(run_options::load(folder, lasting()), folder, *train, typed);
  }
};

std::string error_with(const std::string& json) {
  const Scratch dir;
  put_bytes(dir / "options.json", json);
  Commands c;
  const std::string error = error_of([&] { c.take(dir.dir()); });
  CHECK(c.out == "out/default");
  CHECK((error.empty() || has(error, (dir / "options.json").string())));
  return error;
}

}  // namespace

TEST_CASE("options come back as they were saved") {
  const Scratch dir;
  Commands then, now;
  then.experts = 7, then.weight = 0.1 + 0.2, then.gate = "conv", then.augment = false;
  run_options::save(dir.dir(), then.lasting());
  now.take(dir.dir());
  CHECK(now.experts == 7);
  CHECK(now.weight == 0.1 + 0.2);
  CHECK(now.gate == "conv");
  CHECK_FALSE(now.augment);
}

TEST_CASE("what was typed has the last word, and without a file nothing changes") {
  const Scratch dir;
  Commands c;
  c.take(dir.dir());
  CHECK(c.experts == 4);
  run_options::save(dir.dir(), {{"experts", "7"}, {"gate", "conv"}});
  c.app.parse("eval --experts 9");
  c.take(dir.dir());
  CHECK(c.experts == 9);
  CHECK(c.gate == "conv");
}

TEST_CASE("a hostile options.json is an error and changes no option that it has no business with") {
  CHECK(error_with(R"({"experts": "7", "gate": "conv"})") == "");
  CHECK(has(error_with(R"({"out": "/somewhere/else"})"), "'out' is no option that describes a trained network"));
  CHECK(has(error_with(R"({"gate=gap --out": "x"})"), "is no option"));
  CHECK(has(error_with(R"({"gate": "gap --out=x"})"), "gate"));
  CHECK(has(error_with(R"({"gate": "gap\n--out=x"})"), "in one line"));
  CHECK(has(error_with(R"({"gate": "big"})"), "gap"));
  CHECK(has(error_with(R"({"experts": "0"})"), "experts"));
  CHECK(has(error_with(R"({"experts": "99999999999999999999"})"), "experts"));
  CHECK(has(error_with(R"({"experts": "4 --out x"})"), "experts"));
  CHECK(has(error_with(R"({"experts": "[1,2]"})"), "experts"));
  CHECK(has(error_with(R"({"experts": 4})"), "expected a text"));
  CHECK(has(error_with(R"({"experts": ["4"]})"), "expected a text"));
  CHECK(has(error_with(R"({"no-augment": "perhaps"})"), "augment"));
  CHECK(has(error_with("{\"gate\": \"" + std::string(5000, 'x') + "\"}"), "4096"));
  CHECK(has(error_with("[]"), "an object"));
  CHECK(has(error_with(""), "JSON"));
  CHECK(has(error_with(R"({"experts": "7")"), "JSON"));
  CHECK(has(error_with(R"({"experts": "7", "experts": "8"})"), "JSON"));
  CHECK(has(error_with("{\"gate\": \"\xff\"}"), "JSON"));
  CHECK(has(error_with(std::string(1 << 17, ' ')), "65536"));
  CHECK(has(error_with(std::string("\x1b[2J") + R"({"a": "b"})"), "JSON"));
}

TEST_CASE("options.json that is a folder is an error") {
  const Scratch dir;
  std::filesystem::create_directories(dir / "options.json");
  Commands c;
  CHECK(has(error_of([&] { c.take(dir.dir()); }), "not a regular file"));
}

#endif
