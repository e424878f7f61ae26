#include "moecnn/io/json_reader.hpp"

#include <doctest/doctest.h>

#include "moecnn/core/rng.hpp"
#include "moecnn/io/json.hpp"
#include "scratch.hpp"

using namespace moecnn;
using io::JsonKind;
using io::JsonReader;

namespace {

/// Hands a text out in pieces of `piece` bytes.
io::JsonSource pieces(std::string text, std::size_t piece = 1 << 20) {
  return [text = std::move(text), piece, at = std::size_t{0}](char* to, std::size_t room) mutable {
    const std::size_t n = std::min({room, piece, text.size() - at});
    text.copy(to, n, at);
    at += n;
    return n;
  };
}

/// The error of reading `text` with `read`, which leaves nothing over.
template <class Read>
std::string error_in(const std::string& text, Read read, io::JsonReaderOpts opts = {}) {
  return error_of([&] {
    JsonReader in(pieces(text), "x.json", opts);
    read(in);
    in.finish();
  });
}
std::string skip_error(const std::string& text) {
  return error_in(text, [](JsonReader& in) { in.skip(); });
}

}  // namespace

TEST_CASE("values come in their order, with their kinds and places") {
  const std::string document =
      "\xEF\xBB\xBF {\"a\": [1, -2.5e1, 7.0], \"b\" : {\"c\":null,\"d\":[true , "
      "false]},\n\"s\":\"\\u00e9\\ud83d\\ude00\\n\"}\n";
  for (std::size_t piece : {1, 3, 1 << 20}) {
    JsonReader in(pieces(document, piece), "x.json", {.block = 1});
    std::string seen;
    in.object([&](std::string_view name) {
      seen += std::string(name) + " ";
      if (name == "a") {
        CHECK(in.peek() == JsonKind::array);
        in.array([&](long long i) {
          CHECK(in.place() == "a[" + std::to_string(i) + "]");
          if (i == 1)
            CHECK(in.number() == -25);
          else
            seen += std::to_string(in.whole()) + " ";
        });
      } else if (name == "b") {
        in.object([&](std::string_view inner) {
          if (inner == "c") return;  // what is not read is passed over
          in.array([&](long long i) {
            CHECK(in.place() == "b.d[" + std::to_string(i) + "]");
            CHECK(in.boolean() == (i == 0));
          });
        });
      } else {
        CHECK(in.offset() == document.find("\"\\u"));
        CHECK(in.text() == "\u00e9\U0001F600\n");
      }
    });
    in.finish();
    CHECK(seen == "a 1 7 b s ");
  }
}

TEST_CASE("errors say where, what was found and what was expected") {
  const auto number = [](JsonReader& in) {
    in.object([&](std::string_view) { in.array([&](long long) { in.number(); }); });
  };
  CHECK(error_in("{\"box\": [1, \"2\"]}", number) == "x.json, byte 12 (box[1]): expected a number, found '\"2\"'");
  CHECK(error_in("{\"box\": [1, 2", number) ==
        "x.json ends at byte 13, in the middle of box[1]; it was cut short, copy or download it again");
  CHECK(has(error_in("{\"box\": [1, 1e999]}", number), "byte 12 (box[1]): expected a number that a double can hold"));
  CHECK(has(error_in("{\"box\": [NaN]}", number),
            "expected a number (JSON has neither NaN nor infinities), found 'NaN'"));
  CHECK(has(error_in("{\"box\": [" + std::string(600, '1') + "]}", number), "at most 512 characters"));
  CHECK(has(error_in("{\"box\": {}}", number), "expected an array, found '{'"));
  CHECK(has(error_in("{\"box\": [1 2]}", number), "expected a comma or ], found '2'"));
  CHECK(has(error_in("{\"box\"; [1]}", number), "expected a colon, found '; [1'"));
  CHECK(has(error_in("{\"box\": [1]} x", number), "byte 13: expected the end of the document, found 'x'"));
  CHECK(has(error_in("{\"a\nb\": 1}", number), "expected a text without control characters, found the byte 0x0a"));
  CHECK(error_in("", number) == "x.json ends at byte 0, in the middle; it was cut short, copy or download it again");
  const auto whole = [](JsonReader& in) { in.whole(); };
  CHECK(has(error_in("1.5", whole), "expected a whole number of at most 53 bits, found '1.5'"));
  CHECK(has(error_in("99999999999999999999", whole), "expected a whole number"));
  CHECK(error_in("-9223372036854775808", whole).empty());
  const auto text = [](JsonReader& in) { in.text(); };
  CHECK(has(error_in("\"caf\xe9\"", text), "byte 4: expected a text in UTF-8, found the byte 0xe9"));
  CHECK(has(error_in("\"\\ud800\"", text), "pair of surrogates"));
  CHECK(has(error_in("\"\\x\"", text), "an escape of JSON"));
  CHECK(has(error_in("\"" + std::string(70000, 'a') + "\"", text), "expected a text of at most 65536 bytes"));
  CHECK(skip_error("\"" + std::string(70000, 'a') + "\"").empty());
  CHECK(has(skip_error(std::string(100, '[')), "byte 64: arrays and objects lie more than 64 deep"));
  CHECK(has(skip_error("\x01"), "expected a value, found '?'"));
}

TEST_CASE("NaN and infinities only where they are wanted") {
  double sum = 0;
  const auto read = [&](JsonReader& in) {
    in.array([&](long long i) {
      const double x = in.number();
      CHECK((i == 0 ? std::isnan(x) : std::isinf(x)));
      if (i) sum += x < 0 ? 1 : 2;
    });
  };
  CHECK(error_in("[NaN, -Infinity, Infinity]", read, {.non_finite = true}).empty());
  CHECK(sum == 3);
  CHECK(has(error_in("[NoN]", read, {.non_finite = true}), "expected NaN, found 'NoN'"));
  CHECK(has(error_in("[-Inf]", read, {.non_finite = true}), "expected Infinity"));
}

TEST_CASE("files") {
  Scratch dir;
  CHECK(has(error_of([&] { JsonReader in(dir / "no.json"); }), "there is no such file"));
  CHECK(has(error_of([&] { JsonReader in(dir.dir()); }), "is not a regular file"));
  put_bytes(dir / "empty.json", "");
  CHECK(has(error_of([&] { JsonReader in(dir / "empty.json"); }), "empty.json is empty"));
  put_bytes(dir / "a.json", "[" + std::string(5000, ' ') + "12345678]");
  JsonReader in(dir / "a.json", {.block = 1024});
  in.array([&](long long) { CHECK(in.whole() == 12345678); });
  in.finish();
}

// jansson is the judge of what is JSON; numbers beyond a double and equal names, which it alone refuses, do not occur.
TEST_CASE("damaged documents are refused exactly where another parser refuses them") {
  const std::string document =
      R"({"a":[1,-0.5e+3,2e-2,0],"bb":{"ccc":null,"dddd":[true,false,[],{}]},"eeeee":"x\u00e9\\\"","ffffff":"é€😀"} )";
  constexpr std::string_view bytes = "{}[]\",:\\ tnf0-+.e\xc3\x80\x01 u";
  const Rng rng(1, Purpose::other);
  int good = 0, bad = 0;
  for (std::uint64_t trial = 0; trial < 4000; ++trial) {
    std::string text = document;
    const auto at = static_cast<std::size_t>(rng.below(text.size(), trial, 1));
    const char c = bytes[rng.below(bytes.size(), trial, 2)];
    switch (rng.below(4, trial)) {
      case 0: text[at] = c; break;
      case 1: text.insert(at, 1, c); break;
      case 2: text.erase(at, 1); break;
      default: text.resize(at);
    }
    const bool is_json = !io::Json::parse_or_null(text).is_null();
    CAPTURE(text);
    std::string first;
    for (std::size_t piece : {1, 1 << 20}) {
      const std::string error = error_of([&] {
        JsonReader in(pieces(text, piece), "x.json", {.block = 1});
        in.skip();
        in.finish();
      });
      REQUIRE(error.empty() == is_json);
      if (piece > 1) CHECK(error == first);
      first = error;
    }
    (is_json ? good : bad)++;
  }
  CHECK(good > 300);
  CHECK(bad > 1500);
}
