// The checks of command lines that both programs use.
#if __has_include(<CLI/CLI.hpp>)
#include "../../examples/common/commands.hpp"
#include "../../examples/common/number_checks.hpp"

#include <doctest/doctest.h>

#include "io/scratch.hpp"

using namespace number_checks;

TEST_CASE("numbers out of range and words are refused, and the message says what is expected") {
  CHECK(above(0)("1e-30") == "");
  CHECK(above(0)("0") == "0 is out of range; expected a number above 0");
  CHECK(above(0)("-3") == "-3 is out of range; expected a number above 0");
  CHECK(above(0)("1x") == "\"1x\" is not a number; expected a number above 0");
  CHECK(above(0)("") == "\"\" is not a number; expected a number above 0");
  CHECK(above(0)("inf") == "inf is out of range; expected a number above 0");
  CHECK(above(0)("nan") == "nan is out of range; expected a number above 0");
  CHECK(above(0)("1e999") == "1e999 is out of range; expected a number above 0");
  CHECK(at_least(0)("0") == "");
  CHECK(at_least(0)("-1") == "-1 is out of range; expected a number of at least 0");
  CHECK(between(1, 8)("8") == "");
  CHECK(between(1, 8)("9") == "9 is out of range; expected a number from 1 to 8");
  CHECK(from_to_below(0, 1)("0.9") == "");
  CHECK(from_to_below(0, 1)("1") == "1 is out of range; expected a number of at least 0 and below 1");
  CHECK(whole_between(1, 8)("8") == "");
  CHECK(whole_between(1, 8)("2.5") == "2.5 is out of range; expected a whole number from 1 to 8");
  CHECK(whole_between(1, 8)("0") == "0 is out of range; expected a whole number from 1 to 8");
  const auto even = accepted_by([](const std::string& text) { moecnn::check(text == "2", "{} is odd", text); });
  CHECK(even("2") == "");
  CHECK(even("3") == "3 is odd");
  CHECK(on_or_off()("on") == "");
  CHECK(on_or_off()("maybe") == "there is no choice \"maybe\"; expected on or off");
  CHECK(one_of({"a", "b", "c"})("d") == "there is no choice \"d\"; expected a, b or c");
}

TEST_CASE("the option is named in the message") {
  CLI::App app;
  double rate = 1;
  app.add_option("--lr", rate)->check(above(0));
  try {
    app.parse("--lr 0");
    FAIL("0 was accepted");
  } catch (const CLI::ParseError& e) {
    CHECK(std::string(e.what()) == "--lr: 0 is out of range; expected a number above 0");
  }
}

TEST_CASE("a mistyped command gets a suggestion, any other word the list") {
  CHECK(typing_errors("train", "train") == 0);
  CHECK(typing_errors("trian", "train") == 1);
  CHECK(typing_errors("trn", "train") == 2);
  CHECK(typing_errors("", "eval") == 4);
  CLI::App app;
  app.add_subcommand("train");
  app.add_subcommand("eval");
  const auto error = [&](const std::vector<std::string>& words) {
    return error_of([&] { check_command(app, words); });
  };
  CHECK(error({"train", "--x"}) == "");
  CHECK(error({"--help"}) == "");
  CHECK(error({"trian"}) ==
        "there is no command 'trian'. Did you mean train? The commands are train, eval; --help says more");
  CHECK(error({"zoom"}) == "there is no command 'zoom'. The commands are train, eval; --help says more");
  CHECK(error({}) == "no command is given. The commands are train, eval; --help says more");
}

#endif
