#include "moecnn/data/padded_shapes.hpp"

#include <doctest/doctest.h>

#include "../io/scratch.hpp"
#include "moecnn/core/rng.hpp"

using namespace moecnn;
using data::padded_shapes;

TEST_CASE("few sizes stay as they are, from wide to tall") {
  const std::vector<Size2> pictures{{64, 32}, {32, 64}, {64, 32}, {32, 96}, {64, 32}};
  const auto shapes = padded_shapes(pictures, 3);
  CHECK(shapes.shapes == std::vector<Size2>{{32, 96}, {32, 64}, {64, 32}});
  CHECK(shapes.of == std::vector<int>{2, 1, 2, 0, 2});
  CHECK(shapes.counts == std::vector<long long>{1, 1, 3});
  CHECK(shapes.most_pixels() == 32 * 96);
  CHECK(padded_shapes(pictures, 100).shapes == shapes.shapes);
}

TEST_CASE("sizes that cost little padding become one first") {
  const std::vector<Size2> pictures{{64, 32}, {32, 64}, {32, 96}, {64, 32}};
  CHECK(padded_shapes(pictures, 2).shapes == std::vector<Size2>{{32, 96}, {64, 32}});
  const auto one = padded_shapes(pictures, 1);
  CHECK(one.shapes == std::vector<Size2>{{64, 96}});
  CHECK(one.counts == std::vector<long long>{4});
  // Many pictures of 32 × 64 would each be padded: the two tall ones are joined.
  std::vector<Size2> many(100, {32, 64});
  many.insert(many.end(), {{32, 96}, {96, 32}, {128, 32}});
  CHECK(padded_shapes(many, 3).shapes == std::vector<Size2>{{32, 96}, {32, 64}, {128, 32}});
}

TEST_CASE("every picture fits, whatever sizes there are") {
  const Rng rng(1, Purpose::other);
  for (const int most : {1, 3, 8}) {
    std::vector<Size2> pictures;
    for (std::uint64_t i = 0; i < 2000; ++i)
      pictures.push_back({1 + static_cast<int>(rng.below(1000, i)), 1 + static_cast<int>(rng.below(1000, i, 1))});
    const auto shapes = padded_shapes(pictures, most);
    CHECK(shapes.size() <= most);
    REQUIRE(shapes.of.size() == pictures.size());
    long long sum = 0;
    for (const long long n : shapes.counts) {
      sum += n;
      CHECK(n > 0);
    }
    CHECK(sum == 2000);
    for (std::size_t i = 0; i < pictures.size(); ++i) {
      const Size2 shape = shapes.shapes[static_cast<std::size_t>(shapes.of[i])];
      REQUIRE(shape.h >= pictures[i].h);
      REQUIRE(shape.w >= pictures[i].w);
      for (const Size2 other : shapes.shapes)
        if (other.h >= pictures[i].h && other.w >= pictures[i].w) REQUIRE(other.h * other.w >= shape.h * shape.w);
    }
  }
  CHECK(padded_shapes({}, 2).size() == 0);
  CHECK(has(error_of([] { padded_shapes({}, 0); }), "at most 0 shapes; expected at least 1"));
}
