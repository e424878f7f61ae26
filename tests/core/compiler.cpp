// Code that the compiler must get right, and has been seen to get wrong (see cmake/MoecnnPrograms.cmake). This file is
// compiled like a program, with -O3.
#include <doctest/doctest.h>

#include <vector>

namespace {
[[gnu::noinline]] std::vector<double> three() { return {1, 1, 1, 0}; }
[[gnu::noinline]] std::vector<double> two() { return {.5, .5, 0, 0}; }
[[gnu::noinline]] std::vector<float> floats() { return {1, 1, 1, 1, 1, 0, 0, 0}; }
}  // namespace

TEST_CASE("constants keep the zeros at their end") {
  CHECK(three()[3] == 0);
  CHECK(two()[2] == 0);
  CHECK(two()[3] == 0);
  for (int i = 0; i < 8; ++i) CHECK(floats()[i] == (i < 5 ? 1 : 0));
}
