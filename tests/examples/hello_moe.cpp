#include <doctest/doctest.h>

#include "program.hpp"

TEST_CASE("hello_moe refuses words that it does not know, and shows its usage on --help") {
  const ExampleProgram hello("hello_moe");
  NEEDS_PROGRAM(hello)
  const std::string usage = "usage: hello_moe [--smoke]\n";
  for (const Words& words : {Words{"--smok"}, {"7"}, {""}, {"--smoke", "more"}}) {
    CAPTURE(words.front());
    const Ran refused = hello(words);
    CHECK(refused.status == 2);
    CHECK(refused.output == usage);
  }
  const Ran help = hello({"--help"});
  CHECK(help.status == 0);
  CHECK(help.output == usage);
}
