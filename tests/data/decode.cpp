#include "moecnn/data/decode.hpp"

#include <doctest/doctest.h>

#include <sys/stat.h>

#include "../io/scratch.hpp"
#include "pictures.hpp"

using namespace moecnn;

TEST_CASE("the bytes tell what a file is, not its name") {
  Scratch dir;
  put_bytes(dir / "a.txt", pictures::png(2, 3, pictures::pattern(18)));
  put_bytes(dir / "b.png", pictures::jpeg(4, 5, pictures::ramp(4, 5)));
  CHECK(data::read_image(dir / "a.txt").w == 3);
  CHECK(data::read_image(dir / "b.png").w == 5);
  put_bytes(dir / "c.jpg", pictures::label_png(1, 2, {3, 4}));
  CHECK(data::read_label_map(dir / "c.jpg").values == std::vector<std::uint8_t>{3, 4});
}

TEST_CASE("what cannot be read is told, with the file") {
  Scratch dir;
  const auto image = [&](const std::string& name) { return error_of([&] { data::read_image(dir / name); }); };
  const auto labels = [&](const std::string& name) { return error_of([&] { data::read_label_map(dir / name); }); };
  CHECK(image("none") == (dir / "none").string() + " is not there");
  CHECK(has(image("."), "is not a regular file"));
  put_bytes(dir / "empty", "");
  CHECK(has(image("empty"), "empty is empty"));
  CHECK(has(labels("empty"), "empty is empty"));
  put_bytes(dir / "text", "GIF89a and so on");
  CHECK(has(image("text"), "is neither PNG nor JPEG"));
  CHECK(has(labels("text"), "is no PNG"));
  put_bytes(dir / "l.png", pictures::jpeg(4, 5, pictures::ramp(4, 5)));
  CHECK(has(labels("l.png"), "l.png is a JPEG, which changes values"));
  put_bytes(dir / "short.png", pictures::png(2, 3, pictures::pattern(18)).substr(0, 50));
  CHECK(has(image("short.png"), "short.png cannot be decoded as PNG"));
  put_bytes(dir / "big.png", pictures::png(20, 30, pictures::pattern(1800)));
  CHECK(has(error_of([&] { data::read_image(dir / "big.png", 599); }), "the limit is 599"));
  std::filesystem::resize_file(dir / "text", (1ull << 30) + 1);  // a hole: no disk is needed
  CHECK(has(image("text"), "has 1024 MB"));
  REQUIRE(::mkfifo((dir / "pipe").c_str(), 0600) == 0);
  CHECK(has(image("pipe"), "is not a regular file"));  // and does not wait for a writer
}
