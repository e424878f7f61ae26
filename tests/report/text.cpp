#include "moecnn/report/text.hpp"

#include <doctest/doctest.h>

#include <limits>

using namespace moecnn::report;

TEST_CASE("escape makes hostile text harmless in content and attributes") {
  CHECK(escape("<script>alert('x')</script>") == "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;");
  CHECK(escape("a\" onload=\"b & c") == "a&quot; onload=&quot;b &amp; c");
  CHECK(escape("größer ≤ 漢 😀") == "größer ≤ 漢 😀");
  CHECK(escape(std::string_view("a\0b\x1b\x7f\tc\n", 8)) == "a b  \tc\n");
}

TEST_CASE("escape replaces bytes that are not UTF-8") {
  const std::string mark = "\xEF\xBF\xBD";
  CHECK(escape("caf\xE9") == "caf" + mark);                         // Latin-1
  CHECK(escape("\xC3") == mark);                                    // cut off
  CHECK(escape("\xC0\xAF").find("\xC0") == std::string::npos);      // overlong
  CHECK(escape("\xED\xA0\x80").find("\xED") == std::string::npos);  // surrogate
  CHECK(escape("\xF4\x90\x80\x80").find("\xF4") == std::string::npos);
}

TEST_CASE("shorten counts characters and never cuts inside one") {
  CHECK(shorten("apple", 5) == "apple");
  CHECK(shorten("pineapple", 5) == "pine…");
  CHECK(shorten("äöüäöü", 4) == "äöü…");
}

TEST_CASE("numbers for people") {
  CHECK(number(0) == "0");
  CHECK(number(0.12345) == "0.123");
  CHECK(number(-2.5) == "−2.5");
  CHECK(number(1234.4) == "1234");
  CHECK(number(12345) == "12.3k");
  CHECK(number(11170000) == "11.2M");
  CHECK(number(999900) == "1M");
  CHECK(number(5e-5) == "5·10⁻⁵");
  CHECK(number(1e-4) == "10⁻⁴");
  CHECK(number(std::numeric_limits<double>::quiet_NaN()) == "–");
  CHECK(number(-std::numeric_limits<double>::infinity()) == "−∞");
  CHECK(percent(0.3641) == "36.4\u202F%");
  CHECK(percent(std::numeric_limits<double>::quiet_NaN()) == "–");
  CHECK(grouped(999) == "999");
  CHECK(grouped(10000) == "10,000");
  CHECK(grouped(-1234567) == "-1,234,567");
  CHECK(grouped(-123) == "-123");
}
