#include "moecnn/core/device_buffer.hpp"

#include <doctest/doctest.h>
#include <algorithm>
#include <vector>

using namespace moecnn;

namespace {

/// Memory that the host must not look into: addresses are shifted.
struct Counting final : Memory {
  HostMemory host;
  int alive = 0;
  bool on_host() const override { return false; }
  Allocation allocate(std::size_t bytes) override {
    ++alive;
    return host.allocate(bytes);
  }
  void release(const Allocation& a) noexcept override { --alive, host.release(a); }
  void copy_in(std::byte* to, const void* from, std::size_t n) override { host.copy_in(to, from, n); }
  void copy_out(void* to, const std::byte* from, std::size_t n) override { host.copy_out(to, from, n); }
  void fill(std::byte* to, unsigned char value, std::size_t n) override { host.fill(to, value, n); }
};

}  // namespace

TEST_CASE("buffer: zeroed, aligned, given back once, movable") {
  Counting memory;
  {
    DeviceBuffer a(memory, 1000);
    REQUIRE(a.bytes() >= 1000);
    CHECK(reinterpret_cast<std::uintptr_t>(a.data()) % 64 == 0);
    CHECK(std::all_of(a.data(), a.data() + 1000, [](std::byte b) { return b == std::byte{0}; }));
    CHECK(memory.alive == 1);
    std::byte* const where = a.data();
    DeviceBuffer b(std::move(a));
    CHECK(b.data() == where);
    CHECK(a.data() == nullptr);
    DeviceBuffer c(memory, 10);
    CHECK(memory.alive == 2);
    c = std::move(b);
    CHECK(c.data() == where);
    c = DeviceBuffer();
    CHECK(c.bytes() == 0);
  }
  CHECK(memory.alive == 0);
  const DeviceBuffer none(memory, 0);
  CHECK(none.data() == nullptr);
  CHECK(memory.alive == 0);
}

TEST_CASE("host memory: in, out and filled") {
  Memory& m = host_memory();
  CHECK(m.on_host());
  DeviceBuffer b(m, 16);
  const std::vector<int> in{1, 2, 3, 4};
  std::vector<int> out(4);
  m.copy_in(b.data(), in.data(), 16);
  m.copy_out(out.data(), b.data(), 16);
  CHECK(in == out);
  m.fill(b.data(), 0xFF, 16);
  m.copy_out(out.data(), b.data(), 16);
  CHECK(out == std::vector<int>(4, -1));
  m.copy_in(nullptr, nullptr, 0);
}
