#include "moecnn/core/memory.hpp"

#include <doctest/doctest.h>

#include "io/scratch.hpp"

using namespace moecnn;

namespace {

using Bytes = std::optional<std::uint64_t>;

const std::string meminfo =
    "MemTotal:       16384000 kB\nMemFree:          100000 kB\nMemAvailable:    8000000 kB\nSwapTotal:       0 kB\n"
    "SwapFree:              0 kB\n";
constexpr std::uint64_t available = 8000000ull * 1024;

MemoryFiles with(const std::string& limit, const std::string& usage, const std::string& stat = "") {
  return {meminfo, {{limit, usage, stat}}};
}

}  // namespace

TEST_CASE("what the machine has left, swap included") {
  CHECK(memory_left({meminfo, {}}) == Bytes(available));
  CHECK(memory_left({"MemAvailable: 5 kB\nSwapFree: 3 kB\n", {}}) == Bytes(8 * 1024));
  CHECK(memory_left({"MemAvailable: 5 kB", {}}) == Bytes(5 * 1024));
}

TEST_CASE("nothing is known where the texts do not say") {
  CHECK(memory_left({}) == Bytes());
  for (const char* text :
       {"", "MemFree: 100 kB\n", "MemAvailable: kB\n", "MemAvailable: -5 kB\n", "NoMemAvailable: 5 kB\n",
        "MemAvailable: 99999999999999999999999 kB\n", "MemAvailable: 18446744073709551615 kB\n", "SwapFree: 7 kB\n"})
    CHECK(memory_left({text, {}}) == Bytes());
}

TEST_CASE("control groups: the least of all counts") {
  // Version 2.
  CHECK(memory_left(with("max\n", "500\n")) == Bytes(available));
  CHECK(memory_left(with("1000\n", "300\n")) == Bytes(700));
  CHECK(memory_left(with("1000\n", "300\n", "anon 200\nactive_file 40\ninactive_file 60\n")) == Bytes(800));
  // Version 1: its groups within count, too, and no limit is a huge one.
  CHECK(memory_left(with("9223372036854771712\n", "300\n")) == Bytes(available));
  CHECK(memory_left(with("1000\n", "300\n", "inactive_file 1\ntotal_inactive_file 60\ntotal_active_file 40\n")) ==
        Bytes(800));
  MemoryFiles nested = with("1000", "300");
  nested.groups.push_back({"500", "300", ""});
  CHECK(memory_left(nested) == Bytes(200));
  CHECK(memory_left({"", nested.groups}) == Bytes(200));
}

TEST_CASE("control groups that lie do no harm") {
  CHECK(memory_left(with("1000", "3000")) == Bytes(0));
  CHECK(memory_left(with("1000", "300", "inactive_file 5000\n")) == Bytes(1000));
  CHECK(memory_left(with("1000", "300", "inactive_file 18446744073709551615\nactive_file 18446744073709551615\n")) ==
        Bytes(1000));
  for (const char* bad : {"", "-1", "one", "99999999999999999999999"}) {
    CHECK(memory_left(with(bad, "300")) == Bytes(available));
    CHECK(memory_left(with("1000", bad)) == Bytes(available));
  }
}

#ifdef __linux__
TEST_CASE("the texts are found where Linux has them") {
  const Scratch folder;
  const auto write = [&](const std::string& path, const std::string& text) {
    std::filesystem::create_directories((folder / path).parent_path());
    std::ofstream(folder / path) << text;
  };
  const auto left = [&] { return memory_left(read_memory_files(folder.dir().string())); };
  CHECK(left() == Bytes());
  write("proc/meminfo", meminfo);
  CHECK(left() == Bytes(available));
  // Version 2, with a limit on the group around the process's own.
  write("proc/self/cgroup", "0::/user/job\n");
  write("sys/fs/cgroup/user/job/memory.max", "max\n");
  write("sys/fs/cgroup/user/job/memory.current", "10\n");
  CHECK(left() == Bytes(available));
  write("sys/fs/cgroup/user/memory.max", "6000\n");
  write("sys/fs/cgroup/user/memory.current", "1000\n");
  write("sys/fs/cgroup/user/memory.stat", "inactive_file 500\n");
  CHECK(left() == Bytes(5500));
  // Version 1 in a container, where the path of the host is not to be seen.
  write("proc/self/cgroup", "5:devices:/x\n4:cpu,memory:/docker/1a2b\n0::/\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "4000\n");
  write("sys/fs/cgroup/memory/memory.usage_in_bytes", "1000\n");
  CHECK(left() == Bytes(3000));
  write("proc/self/cgroup", "nonsense\n:\n::\n4:memory\n");
  CHECK(left() == Bytes(available));
}
#endif

TEST_CASE("limits") {
  CHECK(MemoryLimit::bytes(7).left() == Bytes(7));
  CHECK(MemoryLimit::bytes(7).left(1) == Bytes(7));
  CHECK(MemoryLimit::none().left() == Bytes());
  CHECK(MemoryLimit::system().left(1000) == Bytes());  // not worth asking
  CHECK(MemoryLimit::system().left().has_value() == memory_left(read_memory_files()).has_value());
  CHECK(MemoryLimit::fits(102, 100));
  CHECK_FALSE(MemoryLimit::fits(103, 100));
  CHECK(memory_text(21'900'000'000) == "21.9 GB");
  CHECK(memory_text(45'600'000) == "45.6 MB");
}
