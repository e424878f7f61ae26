#include "moecnn/io/json.hpp"

#include <doctest/doctest.h>

#include <limits>

#include "moecnn/core/rng.hpp"
#include "scratch.hpp"

using namespace moecnn;
using io::Json;

TEST_CASE("values are written in one line, members in the order of adding") {
  Json line = Json::object({{"z", 1}, {"a", 0.5}, {"list", std::vector<double>{0.25, 3}}, {"yes", true}});
  line.set("text", "say \"hi\"\n");
  line.set("nothing", nullptr);
  line.set("z", std::uint64_t{1} << 62);
  line.set("empty", Json::array());
  CHECK(line.dump() == R"({"z":4611686018427387904,"a":0.5,"list":[0.25,3.0],"yes":true,)"
                       R"("text":"say \"hi\"\n","nothing":null,"empty":[]})");
  CHECK(Json::array({1, "x"}).dump(1) == "[\n 1,\n \"x\"\n]");
  CHECK(Json(NAN).dump() == "null");
  CHECK(Json::object({{"x", -INFINITY}}).dump() == R"({"x":null})");
  CHECK(has(error_of([] { Json(~0ull); }), "18446744073709551615 is too large"));
  CHECK(has(error_of([] { Json(1).add(2); }), "1, which is no array"));
  CHECK(has(error_of([] { Json(1).set("a", 2); }), "1, which is no object"));
}

TEST_CASE("every double comes back as the same bits") {
  const Rng rng(3, Purpose::other);
  for (int i = 0; i < 20000; ++i) {
    const auto bits = std::uint64_t{rng.below(~0u, i, 0)} << 32 | rng.below(~0u, i, 1);
    const auto x = std::bit_cast<double>(bits);
    if (!std::isfinite(x)) continue;
    REQUIRE(std::bit_cast<std::uint64_t>(Json::parse(Json(x).dump(), "x").number()) == bits);
  }
  for (double x : {0.1, -0.0, 5e-324, std::numeric_limits<double>::max(), 1e22})
    CHECK(std::bit_cast<std::uint64_t>(Json::parse(Json(x).dump(), "x").number()) == std::bit_cast<std::uint64_t>(x));
}

TEST_CASE("values are read with the kind that is expected") {
  const Json j = Json::parse(R"({"n":-3,"x":2.5,"t":"a","l":[1,[2]],"b":false,"o":{"p":null}})", "it");
  CHECK(j.size() == 6);
  CHECK(j["n"].whole() == -3);
  CHECK(j["n"].number() == -3.0);
  CHECK(j["x"].number() == 2.5);
  CHECK(j["t"].text() == "a");
  CHECK(j["l"][1][0].whole() == 2);
  CHECK_FALSE(j["b"].boolean());
  CHECK(j["missing"].is_null());
  CHECK(j["x"]["deeper"][3].is_null());
  CHECK(j["missing"].number_or(7) == 7);
  CHECK(j["t"].whole_or(7) == 7);
  CHECK(j["n"].text_or("?") == "?");
  CHECK(j["n"].boolean_or(true));
  CHECK(j["l"].elements().size() == 2);
  CHECK(j["n"].elements().empty());
  std::string names;
  for (const auto& [name, value] : Json::parse(j.dump(), "a value that is gone in the loop").members()) names += name;
  CHECK(names == "nxtlbo");
  CHECK(error_of([&] { j["t"].number(); }) == "JSON: expected a number, found the text 'a'");
  CHECK(error_of([&] { j["x"].whole(); }) == "JSON: expected a whole number, found 2.5");
  CHECK(error_of([&] { j["l"].text(); }) == "JSON: expected a text, found an array");
  CHECK(error_of([&] { j["o"]["p"].boolean(); }) == "JSON: expected a boolean, found null");
}

TEST_CASE("what is no JSON is refused, with the place") {
  CHECK(error_of([] { Json::parse("{\"a\":1,\"a\":2}", "x.json"); }) ==
        "x.json cannot be read as JSON: duplicate object key near '\"a\"' (byte 10); it is damaged or something else");
  for (const char* text : {"", "{", "[1,]", "01", "nan", "{'a':1}", "\"\\ud800\"", "\"\xff\"", "1 2", "1e999"}) {
    CAPTURE(text);
    CHECK(has(error_of([&] { Json::parse(text, "it"); }), "it cannot be read as JSON: "));
    CHECK(Json::parse_or_null(text).is_null());
  }
  const std::string escape = error_of([] { Json::parse("[\x1b[2J]", "it"); });
  CHECK_FALSE(has(escape, "\x1b"));
  CHECK(Json::parse(std::string("\"a\\u0000b\""), "it").text() == std::string("a\0b", 3));
}

TEST_CASE("bytes that are no UTF-8 are replaced in values and names") {
  CHECK(Json("a\xff\xc3z é").text() == "a\uFFFD\uFFFDz é");
  CHECK(Json::object({{"\x80", 1}}).dump() == "{\"\uFFFD\":1}");
  CHECK(io::is_utf8("é"));
  CHECK(io::is_utf8({}));
  CHECK_FALSE(io::is_utf8("\xed\xa0\x80"));  // half of a surrogate pair
  CHECK_FALSE(io::is_utf8("\xc0\x80"));      // longer than it must be
}

TEST_CASE("copies share, and nothing is freed twice") {
  Json a = Json::object({{"x", 1}});
  Json b = a;
  b.set("x", 2);
  CHECK(a["x"].whole() == 2);
  Json c = std::move(b);
  CHECK(b.is_null());
  c = c["x"];
  a = Json();
  CHECK(c.whole() == 2);
}
