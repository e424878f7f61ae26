#include "moecnn/core/format.hpp"

#include <doctest/doctest.h>

#include <cstdint>

using namespace moecnn;

TEST_CASE("formatted() does what fmt::format does, for every kind of argument") {
  const std::string owned = "ab";
  char array[8] = "xyz";
  const bool yes = true;
  CHECK(formatted("nothing {{}}") == "nothing {}");
  CHECK(formatted("{} {} {}", -1, 2u, 'c') == "-1 2 c");
  CHECK(formatted("{} {} {}", std::int64_t{-1} << 62, ~std::uint64_t{0}, std::uint8_t{200}) ==
        "-4611686018427387904 18446744073709551615 200");
  CHECK(formatted("{} {} {}", 0.1, 0.1f, yes) == "0.1 0.1 true");
  CHECK(formatted("{} {} {} {}", owned, std::string_view("view"), "literal", array) == owned + " view literal xyz");
  CHECK(formatted("{:>6.2f}|{:<4}|{:x}|{:.{}f}", 3.14159, "ab", 255, 2.0, 3) == "  3.14|ab  |ff|2.000");
  CHECK(formatted("{1} {0}", 1, 2) == "2 1");
  CHECK(formatted("{} {} {} {} {} {} {} {} {} {} {} {}", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12) ==
        "1 2 3 4 5 6 7 8 9 10 11 12");
}
