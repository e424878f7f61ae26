#include "moecnn/detection/box_coder.hpp"

#include <doctest/doctest.h>

#include "moecnn/core/rng.hpp"
#include "moecnn/detection/iou.hpp"

using namespace moecnn;
using namespace moecnn::detection;

namespace {

Box random_box(const Rng& rng, std::uint64_t i) {
  const auto u = [&](int lane) { return static_cast<float>(rng.uniform(i, lane)); };
  const float x = 500 * u(0), y = 300 * u(1);
  return {x, y, x + 10 + 200 * u(2), y + 10 + 100 * u(3)};
}

}  // namespace

TEST_CASE("deltas by hand") {
  const Box anchor{10, 20, 30, 60}, box{15, 20, 55, 30};
  const Deltas d = encode(anchor, box, BoxCoderOpts::yhenon());
  CHECK(d[0] == doctest::Approx((35.0 - 20) / 20 / 0.1));
  CHECK(d[1] == doctest::Approx((25.0 - 40) / 40 / 0.1));
  CHECK(d[2] == doctest::Approx(std::log(2.0) / 0.2));
  CHECK(d[3] == doctest::Approx(std::log(0.25) / 0.2));
  const Deltas t = encode(anchor, box, BoxCoderOpts::torchvision());
  CHECK(t[0] == 0.75f);
  CHECK(t[3] == doctest::Approx(std::log(0.25)));
  // Only one of the two enlarges a box that is less than a pixel wide; its centre stays.
  const Box thin{15, 20, 15.5f, 30};
  CHECK(encode(anchor, thin, BoxCoderOpts::yhenon())[2] == doctest::Approx(std::log(1 / 20.0) / 0.2));
  CHECK(encode(anchor, thin, BoxCoderOpts::torchvision())[2] == doctest::Approx(std::log(0.5 / 20)));
  CHECK(encode(anchor, thin, BoxCoderOpts::yhenon())[0] == doctest::Approx((15.25 - 20) / 20 / 0.1));
}

TEST_CASE("decoding undoes encoding") {
  const Rng rng(1, Purpose::other);
  for (const auto& opts : {BoxCoderOpts::yhenon(), BoxCoderOpts::torchvision()})
    for (int i = 0; i < 200; ++i) {
      const Box anchor = random_box(rng, 2 * i), box = random_box(rng, 2 * i + 1);
      const Box back = decode(anchor, encode(anchor, box, opts), opts);
      REQUIRE(std::abs(back.x1 - box.x1) < 1e-3);
      REQUIRE(std::abs(back.y1 - box.y1) < 1e-3);
      REQUIRE(std::abs(back.x2 - box.x2) < 1e-3);
      REQUIRE(std::abs(back.y2 - box.y2) < 1e-3);
    }
}

TEST_CASE("sides grow without limit or to a limit") {
  const Box anchor{0, 0, 16, 16};
  CHECK(decode(anchor, {0, 0, 50, 0}, BoxCoderOpts::torchvision()).width() == doctest::Approx(1000));
  CHECK(decode(anchor, {0, 0, 25, 0}, BoxCoderOpts::yhenon()).width() == doctest::Approx(16 * std::exp(5.0)));
  CHECK(std::isinf(decode(anchor, {0, 0, 1000, 0}, BoxCoderOpts::yhenon()).x2));
  CHECK(std::isnan(decode(anchor, {0, 0, NAN, 0}, BoxCoderOpts::torchvision()).x1));
  CHECK(std::isnan(decode(anchor, {NAN, 0, 0, 0}, BoxCoderOpts::yhenon()).x1));
}

TEST_CASE("clipping") {
  const Size2 image{100, 200};
  for (const auto how : {Clip::outer, Clip::all}) {
    CHECK(clip({-5, -6, 300, 400}, image, how) == Box{0, 0, 200, 100});
    CHECK(clip({5, 6, 30, 40}, image, how) == Box{5, 6, 30, 40});
    CHECK(std::isnan(clip({NAN, 0, 1, 1}, image, how).x1));
    CHECK(std::isnan(clip({0, 0, 1, NAN}, image, how).y2));
  }
  CHECK(clip({250, 120, 260, 130}, image, Clip::outer) == Box{250, 120, 200, 100});
  CHECK(clip({250, 120, 260, 130}, image, Clip::all) == Box{200, 100, 200, 100});
  CHECK(clip({-9, -9, -8, -7}, image, Clip::outer) == Box{0, 0, -8, -7});
  CHECK(clip({-9, -9, -8, -7}, image, Clip::all) == Box{0, 0, 0, 0});
}

TEST_CASE("intersection over union") {
  CHECK(iou({0, 0, 10, 10}, {0, 0, 10, 10}) == 1);
  CHECK(iou({0, 0, 10, 10}, {5, 0, 15, 10}) == 50 / 150.0f);
  CHECK(iou({0, 0, 10, 10}, {10, 0, 20, 10}) == 0);
  CHECK(iou({0, 0, 0, 10}, {0, 0, 10, 10}) == 0);
  CHECK(iou({5, 5, 2, 2}, {0, 0, 10, 10}) == 0);  // corners the wrong way round
  CHECK(iou({NAN, 0, 10, 10}, {0, 0, 10, 10}) == 0);
  CHECK(iou({0, 0, INFINITY, 10}, {0, 0, 10, 10}) == 0);
}
