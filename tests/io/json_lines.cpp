#include "moecnn/io/json_lines.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <cmath>
#include <csignal>

#include "scratch.hpp"

using namespace moecnn;
using io::Json;

TEST_CASE("every line is in the file at once") {
  Scratch dir;
  auto log = io::JsonLines::create(dir / "m.jsonl");
  log.append(Json::object({{"step", 1}, {"loss", 0.5}}));
  CHECK(bytes_of(dir / "m.jsonl") == "{\"step\":1,\"loss\":0.5}\n");
  log.append(Json::object({{"step", 2}, {"loss", NAN}}));
  CHECK(bytes_of(dir / "m.jsonl") == "{\"step\":1,\"loss\":0.5}\n{\"step\":2,\"loss\":null}\n");
  CHECK(has(error_of([&] { log.append(Json::array({1})); }), "must be a JSON object, not an array"));
  CHECK(io::read_json_lines(dir / "m.jsonl").size() == 2);
  io::JsonLines::create(dir / "m.jsonl");
  CHECK(io::read_json_lines(dir / "m.jsonl").empty());
}

TEST_CASE("resuming removes what lies beyond the step and a line that breaks off, wherever it breaks") {
  Scratch dir;
  const std::string kept = "{\"about\":\"run\"}\n{\"step\":10}\n{\"step\":20,\"text\":\"a\\nb\"}\n";
  const std::string later = "{\"step\":21}\n{\"step\":30}\n";
  const std::string last = "{\"step\":5,\"x\":[1,2]}\n";
  for (std::size_t n = 0; n <= last.size(); ++n) {
    CAPTURE(n);
    put_bytes(dir / "m.jsonl", kept + later + last.substr(0, n));
    {
      auto log = io::JsonLines::resume(dir / "m.jsonl", 20);
      log.append(Json::object({{"step", 21}}));
    }
    // Complete but for its newline, the last line counts.
    REQUIRE(bytes_of(dir / "m.jsonl") == kept + (n + 1 >= last.size() ? last : "") + "{\"step\":21}\n");
  }
  CHECK(dir.files() == 1);
}

TEST_CASE("a missing log starts empty, a damaged one is told") {
  Scratch dir;
  io::JsonLines::resume(dir / "new.jsonl", 5).append(Json::object({{"step", 6}}));
  CHECK(io::read_json_lines(dir / "new.jsonl").at(0)["step"].whole() == 6);
  put_bytes(dir / "bad.jsonl", "{\"step\":1}\n{\"st\n{\"step\":3}\n");
  CHECK(has(error_of([&] { io::JsonLines::resume(dir / "bad.jsonl", 5); }), "bad.jsonl: line 2 is not a JSON object"));
  CHECK(bytes_of(dir / "bad.jsonl").size() == 27);
  put_bytes(dir / "zeros.jsonl", "{\"step\":1}\n" + std::string(100, '\0'));  // as after a power cut
  CHECK(io::read_json_lines(dir / "zeros.jsonl").size() == 1);
  CHECK(has(error_of([&] { io::JsonLines::create(dir / "no/m.jsonl"); }), "create the folder"));
}

TEST_CASE("a log on a full disk keeps whole lines") {
  Scratch dir;
  auto log = io::JsonLines::create(dir / "m.jsonl");
  log.append(Json::object({{"step", 1}}));
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 20;
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  const std::string error = error_of([&] { log.append(Json::object({{"step", 2}, {"loss", 0.25}})); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);
  CHECK(has(error, "m.jsonl: File too large"));
  CHECK(bytes_of(dir / "m.jsonl") == "{\"step\":1}\n");
}
