#include "moecnn/io/folder_lock.hpp"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>

#include <optional>

#include "scratch.hpp"

using namespace moecnn;

TEST_CASE("a folder has one holder, which errors name, and is free again afterwards") {
  const Scratch dir;
  std::optional<io::FolderLock> lock(dir.dir());
  const auto text = error_of([&] { io::FolderLock second(dir.dir()); });
  INFO(text);
  CHECK(has(text, dir.dir().string()));
  CHECK(has(text, "(process " + std::to_string(::getpid()) + ")"));
  lock.reset();
  CHECK(dir.files() == 0);
  io::FolderLock again(dir.dir());
}

TEST_CASE("a process that is killed holds nothing") {
  const Scratch dir;
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const io::FolderLock lock(dir.dir());
    if (::write(ready[1], "x", 1) == 1) ::pause();
    ::_exit(0);
  }
  char x = 0;
  REQUIRE(::read(ready[0], &x, 1) == 1);
  CHECK(has(error_of([&] { io::FolderLock lock(dir.dir()); }), "(process " + std::to_string(child) + ")"));
  ::kill(child, SIGKILL);
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  CHECK(dir.files() == 1);  // its file is still there and says nothing
  io::FolderLock lock(dir.dir());
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_CASE("a folder that cannot be written is named") {
  CHECK(has(error_of([] { io::FolderLock lock("/proc/self"); }), "/proc/self/run.lock"));
}
