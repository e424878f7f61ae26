#include "moecnn/core/aligned.hpp"

#include <doctest/doctest.h>
#include <algorithm>
#include <cstdint>
#include <utility>

using namespace moecnn;

TEST_CASE("a buffer is zeroed, aligned and at least as large as asked for") {
  AlignedBuffer b(5000);
  CHECK(b.bytes() >= 5000);
  CHECK(reinterpret_cast<std::uintptr_t>(b.data()) % AlignedBuffer::alignment == 0);
  CHECK(std::all_of(b.data(), b.data() + b.bytes(), [](std::byte x) { return x == std::byte{0}; }));
  b.as<double>()[624] = 3;
  AlignedBuffer moved = std::move(b);
  CHECK(moved.as<double>()[624] == 3);
}

TEST_CASE("a large buffer begins where a large page can") {
  AlignedBuffer b((3 << 20) + 5);
  CHECK(b.bytes() == 4 << 20);
  CHECK(reinterpret_cast<std::uintptr_t>(b.data()) % AlignedBuffer::huge_page == 0);
  CHECK(std::all_of(b.data(), b.data() + b.bytes(), [](std::byte x) { return x == std::byte{0}; }));
}

TEST_CASE("an empty buffer has no memory") {
  CHECK(AlignedBuffer().data() == nullptr);
  CHECK(AlignedBuffer(0).bytes() == 0);
}

#ifndef MOECNN_SANITIZED  // which would rather stop the program
TEST_CASE("memory that cannot be had is an error that says how much") {
  CHECK_THROWS_WITH_AS(AlignedBuffer(std::size_t(1) << 60),
                       "cannot allocate 1099511627776 MB; choose a smaller batch or a smaller network", Error);
}
#endif
