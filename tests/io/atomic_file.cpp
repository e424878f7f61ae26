#include "moecnn/io/atomic_file.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <csignal>

#include "scratch.hpp"

using namespace moecnn;

TEST_CASE("an atomic file appears at commit and replaces the old one") {
  Scratch dir;
  const auto path = dir / "a.bin";
  put_bytes(path, "old");
  {
    io::AtomicFile file(path);
    file.write("new ");
    file.write("text");
    CHECK(bytes_of(path) == "old");
    file.commit();
    CHECK(bytes_of(path) == "new text");
    CHECK(has(error_of([&] { file.write("x"); }), "after it was finished"));
  }
  CHECK(bytes_of(path) == "new text");
  CHECK(dir.files() == 1);
}

TEST_CASE("an atomic file without commit leaves nothing") {
  Scratch dir;
  put_bytes(dir / "a.bin", "old");
  { io::AtomicFile(dir / "a.bin").write("new"); }
  CHECK(bytes_of(dir / "a.bin") == "old");
  CHECK(dir.files() == 1);
}

TEST_CASE("the rest of a killed run is overwritten and two writers exclude each other") {
  Scratch dir;
  put_bytes(dir / "a.bin.partial", "a longer rest than the new file");
  {
    io::AtomicFile first(dir / "a.bin");
    CHECK(has(error_of([&] { io::AtomicFile second(dir / "a.bin"); }), "another process is writing"));
    first.write("x");
    first.commit();
    io::AtomicFile third(dir / "a.bin");  // the first one is done
    third.write("y");
    third.commit();
  }
  CHECK(bytes_of(dir / "a.bin") == "y");
  CHECK(dir.files() == 1);
}

TEST_CASE("writing to a link keeps the link") {
  Scratch dir;
  put_bytes(dir / "real.bin", "old");
  std::filesystem::create_symlink("real.bin", dir / "link.bin");
  io::AtomicFile file(dir / "link.bin");
  file.write("new");
  file.commit();
  CHECK(std::filesystem::is_symlink(dir / "link.bin"));
  CHECK(bytes_of(dir / "real.bin") == "new");
}

TEST_CASE("places where no file can be written give a clear error") {
  Scratch dir;
  put_bytes(dir / "file", "x");
  const std::string below = error_of([&] { io::AtomicFile file(dir / "file/out.bin"); });
  CHECK(has(below, "file/out.bin"));
  CHECK(has(below, "Not a directory; check the path"));
  CHECK(has(error_of([&] { io::AtomicFile file(dir / "no/such/folder.bin"); }), "create the folder"));
  CHECK(has(error_of([&] { io::AtomicFile file(dir.dir()); }), "not a regular file"));
  CHECK(has(error_of([&] { io::AtomicFile file("/dev/full"); }), "not a regular file"));
}

TEST_CASE("a disk that fills up while writing leaves the old file") {
  Scratch dir;
  const auto path = dir / "a.bin";
  put_bytes(path, "old");
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);  // so that write() says EFBIG
  rlimit small = before;
  small.rlim_cur = 1000;
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  const std::string error = error_of([&] {
    io::AtomicFile file(path);
    file.write(std::string(600, 'x'));
    file.write(std::string(600, 'x'));
    file.commit();
  });
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);
  CHECK(has(error, path.string()));
  CHECK(has(error, "File too large"));
  CHECK(has(error, "unchanged"));
  CHECK(bytes_of(path) == "old");
  CHECK(dir.files() == 1);
}
