// Options in a weights file, which all programs read.
#if __has_include(<CLI/CLI.hpp>)
#include "../../examples/common/run_options.hpp"
#include "../../examples/common/class_names.hpp"

#include <doctest/doctest.h>

#include "examples/weights_texts.hpp"

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
  void take(const std::filesystem::path& weights) {
    const auto typed = [&](const std::string& name) {
      const CLI::Option* option = eval->get_option_no_throw("--" + name);
      return option && option->count() > 0;
    };
    run_options::apply(run_options::load(weights, lasting()), weights, *train, typed);
  }
};

std::string error_with(const std::string& json) {
  const Scratch dir;
  put_texts(dir / "w.safetensors", {{"options", json}});
  Commands c;
  const std::string error = error_of([&] { c.take(dir / "w.safetensors"); });
  CHECK(c.out == "out/default");
  CHECK((error.empty() || has(error, (dir / "w.safetensors").string())));
  return error;
}

}  // namespace

TEST_CASE("options come back as they were saved") {
  const Scratch dir;
  Commands then, now;
  then.experts = 7, then.weight = 0.1 + 0.2, then.gate = "conv", then.augment = false;
  put_texts(dir / "w.safetensors", run_options::metadata(then.lasting()));
  now.take(dir / "w.safetensors");
  CHECK(now.experts == 7);
  CHECK(now.weight == 0.1 + 0.2);
  CHECK(now.gate == "conv");
  CHECK_FALSE(now.augment);
}

TEST_CASE("typed options take precedence, and without a text nothing changes") {
  const Scratch dir;
  const std::filesystem::path file = dir / "w.safetensors";
  Commands c;
  put_texts(file, {{"format", "pt"}});
  c.take(file);
  CHECK(c.experts == 4);
  put_texts(file, run_options::metadata({{"experts", "7"}, {"gate", "conv"}}));
  c.app.parse("eval --experts 9");
  c.take(file);
  CHECK(c.experts == 9);
  CHECK(c.gate == "conv");
}

TEST_CASE("hostile options are an error and changes no option that it has no business with") {
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
  CHECK(has(error_with(std::string(1 << 17, ' ')), "65536"));
  CHECK(has(error_with(std::string("\x1b[2J") + R"({"a": "b"})"), "JSON"));
}

TEST_CASE("weights that are not there, or no weights, are an error") {
  const Scratch dir;
  Commands c;
  CHECK(has(error_of([&] { c.take(dir / "nothing"); }), (dir / "nothing").string()));
  put_bytes(dir / "junk", "junk");
  CHECK(has(error_of([&] { c.take(dir / "junk"); }), (dir / "junk").string()));
  CHECK(has(error_of([&] { c.take(dir.dir()); }), "not a regular file"));
}

TEST_CASE("class names come back, and hostile ones are an error or harmless") {
  WeightsMetadata texts;
  CHECK(class_names_in(texts, "w").empty());
  put_class_names(texts, {"cat", "dog \"x\"", "kōji"});
  CHECK(class_names_in(texts, "w") == std::vector<std::string>{"cat", "dog \"x\"", "kōji"});
  const auto names = [](const std::string& json) { return class_names_in({{"classes", json}}, "w.safetensors"); };
  const auto error = [&](const std::string& json) { return error_of([&] { names(json); }); };
  CHECK(has(error("{}"), "the class names in w.safetensors are"));
  CHECK(has(error("[1]"), "name 0 is"));
  CHECK(has(error(R"(["a", null])"), "name 1 is"));
  CHECK(has(error("[\"" + std::string(5000, 'x') + "\"]"), "4096"));
  CHECK(has(error("[\"cat"), "JSON"));
  CHECK(names(R"(["a\u001b[2Jb"])")[0].find('\x1b') == std::string::npos);
}

#endif
