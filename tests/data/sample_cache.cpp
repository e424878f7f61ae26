#include "moecnn/data/sample_cache.hpp"

#include <doctest/doctest.h>

#include "../io/scratch.hpp"
#include "pictures.hpp"

using namespace moecnn;

TEST_CASE("samples stay until the budget is used up") {
  Scratch dir;
  data::SegmentationSet set{.name = "s", .class_names = {"a"}, .palette = {{}}, .train_ids = data::plain_train_ids(1)};
  for (int i = 0; i < 4; ++i) {
    const auto name = std::to_string(i);
    put_bytes(dir / (name + "i.png"), pictures::png(2, 5, std::vector<std::uint8_t>(30, std::uint8_t(i))));
    put_bytes(dir / (name + "l.png"), pictures::label_png(2, 5, std::vector<std::uint8_t>(10)));
    set.pairs.push_back({dir / (name + "i.png"), dir / (name + "l.png"), name});
  }
  data::SampleCache cache(set, 100), none(set, 0);  // a sample has 40 bytes
  for (int round = 0; round < 2; ++round)
    for (int i = 0; i < 4; ++i) CHECK(cache.get(i)->image.pixels[0] == i);
  CHECK(cache.bytes() == 80);
  CHECK(cache.get(0) == cache.get(0));
  CHECK(cache.get(3) != cache.get(3));
  const auto held = cache.get(1);
  for (int i = 0; i < 4; ++i) std::filesystem::remove(set.pairs[i].image);
  CHECK(cache.get(1) == held);
  CHECK(has(error_of([&] { cache.get(2); }), "2i.png is not there"));
  CHECK(has(error_of([&] { none.get(0); }), "0i.png is not there"));
  CHECK(none.bytes() == 0);
}
