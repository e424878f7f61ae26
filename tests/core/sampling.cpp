#include "moecnn/core/sampling.hpp"

#include <doctest/doctest.h>

using namespace moecnn;

TEST_CASE("sampling: corners stay corners, or edges stay edges") {
  for (const int in : {1, 2, 5, 9})
    for (const int out : {2, 3, 8, 17}) {
      const Tap first = bilinear_tap(0, in, out, true), last = bilinear_tap(out - 1, in, out, true);
      CHECK(first.lo + first.t == 0);
      CHECK(last.lo + last.t == doctest::Approx(in - 1));
      for (int i = 0; i < out; ++i) {
        const Tap a = bilinear_tap(i, in, out, false), b = bilinear_tap(out - 1 - i, in, out, false);
        CHECK((a.lo >= 0 && a.hi < in && a.t >= 0 && a.t <= 1 && a.hi - a.lo <= 1));
        // The map read backwards reads the same, but that places beyond the last pixel count as it.
        const double at = a.lo + a.t * (a.hi - a.lo), mirrored = in - 1 - (b.lo + b.t * (b.hi - b.lo));
        CHECK(at == doctest::Approx(mirrored));
        const int nearest = nearest_source(i, in, out);
        CHECK((nearest >= 0 && nearest < in));
      }
    }
  CHECK(bilinear_tap(0, 7, 1, true).lo == 0);
  CHECK(bilinear_tap(0, 7, 1, false).lo == 3);  // the centre
}

TEST_CASE("sampling: the nearest pixel of a map of a multiple of the size") {
  for (int i = 0; i < 12; ++i) CHECK(nearest_source(i, 4, 12) == i / 3);
  for (int i = 0; i < 4; ++i) CHECK(nearest_source(i, 12, 4) == 3 * i);
}
