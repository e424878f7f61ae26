#include "moecnn/core/dropout_mask.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace moecnn;

TEST_CASE("dropout mask: any stretch in any order gives the same mask, with the share that was asked for") {
  const std::uint64_t n = 20'001;
  for (const double p : {0.0, 0.1, 0.5, 0.99}) {
    const DropoutMask mask(p, 1, 2, 3);
    std::vector<char> all(n), parts(n);
    mask.for_each(0, n, [&](std::uint64_t i, bool kept) { all[i] = kept; });
    for (std::uint64_t end = n, begin; end > 0; end = begin) {
      begin = end > 37 ? end - 37 : 0;
      mask.for_each(begin, end, [&](std::uint64_t i, bool kept) { parts[i] = kept; });
    }
    CHECK(all == parts);
    double kept = 0;
    for (std::uint64_t i = 0; i < n; ++i) {
      CHECK(mask.keeps(i) == bool(all[i]));
      kept += all[i];
    }
    CHECK(kept / static_cast<double>(n) == doctest::Approx(1 - p).epsilon(0.02).scale(1));
  }
}

TEST_CASE("dropout mask: seed, name and step each give another one") {
  const auto bits = [](std::uint64_t seed, std::uint64_t stream, std::uint64_t step) {
    std::vector<char> b;
    DropoutMask(0.5, seed, stream, step).for_each(0, 200, [&](std::uint64_t, bool kept) { b.push_back(kept); });
    return b;
  };
  CHECK(bits(1, 2, 3) == bits(1, 2, 3));
  CHECK(bits(1, 2, 3) != bits(2, 2, 3));
  CHECK(bits(1, 2, 3) != bits(1, hash_name("other"), 3));
  CHECK(bits(1, 2, 3) != bits(1, 2, 4));
}
