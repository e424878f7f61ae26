#include "moecnn/core/extent.hpp"

#include <doctest/doctest.h>

using namespace moecnn;

TEST_CASE("the size of a window's output is the number of places where it fits") {
  for (int in = 1; in <= 12; ++in)
    for (int kernel = 1; kernel <= 5; ++kernel)
      for (int stride = 1; stride <= 4; ++stride)
        for (int pad = 0; pad <= 3; ++pad)
          for (int dilation = 1; dilation <= 3; ++dilation) {
            int places = 0;
            for (int at = -pad; at + dilation * (kernel - 1) < in + pad; at += stride) ++places;
            if (places == 0)
              CHECK_THROWS_AS(window_out(in, kernel, stride, pad, dilation), Error);
            else
              CHECK(window_out(in, kernel, stride, pad, dilation) == places);
          }
}

TEST_CASE("a transposed convolution's output is what a convolution would shrink to the input") {
  for (int in = 1; in <= 8; ++in)
    for (int kernel = 1; kernel <= 4; ++kernel)
      for (int stride = 1; stride <= 3; ++stride)
        for (int pad = 0; pad < kernel; ++pad)
          for (int dilation = 1; dilation <= 2; ++dilation)
            for (int out_pad = 0; out_pad < stride; ++out_pad) {
              const auto size = [&] { return transposed_out(in, kernel, stride, pad, dilation, out_pad); };
              const int out = (in - 1) * stride + dilation * (kernel - 1) + 1 + out_pad - 2 * pad;
              if (out < 1) {
                CHECK_THROWS_AS(size(), Error);
                continue;
              }
              CHECK(size() == out);
              CHECK(window_out(out, kernel, stride, pad, dilation) == in);
            }
}

TEST_CASE("a window that does not fit says its numbers and what to do") {
  CHECK_THROWS_WITH_AS(
      window_out(3, 3, 1, 0, 2),
      "a window of 5 (kernel 3, dilation 2) does not fit into 3 pixels with 0 of padding on each side; "
      "enlarge the input or the padding",
      Error);
}

TEST_CASE("bins of adaptive pooling cover everything, and overlap only where they have to") {
  for (int in = 1; in <= 12; ++in)
    for (int bins = 1; bins <= 14; ++bins) {
      CHECK(bin_begin(0, in, bins) == 0);
      CHECK(bin_end(bins - 1, in, bins) == in);
      for (int i = 0; i < bins; ++i) {
        CHECK(bin_end(i, in, bins) > bin_begin(i, in, bins));
        if (i > 0) CHECK(bin_begin(i, in, bins) <= bin_end(i - 1, in, bins));
        if (i > 0 && in % bins == 0) CHECK(bin_begin(i, in, bins) == bin_end(i - 1, in, bins));
      }
    }
  CHECK(pieces(12, 4) == 3);
  CHECK(pieces(13, 4) == 4);
}

TEST_CASE("pixels of a large extent do not overflow") {
  CHECK(Extent{1, 100'000, 100'000}.pixels() == 10'000'000'000);
  CHECK(Extent{} == Extent{1, 1, 1});
}
