#include "moecnn/data/segmentation_set.hpp"

#include <doctest/doctest.h>

#include "../io/scratch.hpp"
#include "pictures.hpp"

using namespace moecnn;
using data::SegmentationSet;

namespace {

SegmentationSet two_classes() {
  SegmentationSet set{.name = "tiny",
                      .class_names = {"a", "b"},
                      .palette = {{1, 2, 3}, {4, 5, 6}},
                      .train_ids = data::plain_train_ids(2, 7)};
  set.pairs.push_back({"a.png", "b.png", "a"});
  return set;
}

}  // namespace

TEST_CASE("a table knows classes, ignored values and the rest") {
  const auto ids = data::plain_train_ids(3, 11);
  CHECK(ids[0] == 0);
  CHECK(ids[2] == 2);
  CHECK(ids[3] == data::unknown_label);
  CHECK(ids[11] == data::ignore_label);
  CHECK(ids[254] == data::unknown_label);
  CHECK(ids[255] == data::ignore_label);
  data::LabelMap map{1, 5, {0, 2, 3, 11, 255}};
  data::apply_train_ids(ids, map);
  CHECK(map.values == std::vector<std::uint8_t>{0, 2, 255, 255, 255});
}

TEST_CASE("a sample has planes of colours and train ids") {
  Scratch dir;
  put_bytes(dir / "a.png", pictures::png(1, 4, pictures::pattern(12)));
  put_bytes(dir / "l.png", pictures::label_png(1, 4, {1, 0, 7, 9}));
  put_bytes(dir / "wide.png", pictures::label_png(1, 5, {1, 0, 7, 9, 0}));
  auto set = two_classes();
  set.pairs = {{dir / "a.png", dir / "l.png", "a"}, {dir / "a.png", dir / "wide.png", "b"}};
  const auto sample = load_sample(set, 0);
  CHECK(sample->labels.values == std::vector<std::uint8_t>{1, 0, 255, 255});
  CHECK(sample->image.pixels[4] == pictures::pattern(12)[1]);
  CHECK(sample->bytes() == 16);
  const std::string error = error_of([&] { load_sample(set, 1); });
  CHECK(has(error, (dir / "a.png").string() + " has 4 × 1 pixels"));
  CHECK(has(error, "wide.png has 5 × 1"));
}

TEST_CASE("samples in memory are not copied") {
  auto set = two_classes();
  set.samples.push_back({{1, 1, {1, 2, 3}}, {1, 1, {0}}});
  CHECK(load_sample(set, 0).get() == set.samples.data());
  set.samples[0].image.pixels.pop_back();
  CHECK(has(error_of([&] { load_sample(set, 0); }), "a of 'tiny' has 2 bytes of colours and 1 labels for 1 × 1"));
  set.samples[0].labels.w = 2;
  CHECK(has(error_of([&] { load_sample(set, 0); }), "but its label map"));
}

TEST_CASE("descriptions that contradict themselves are refused") {
  const auto error = [](auto change) {
    auto set = two_classes();
    change(set);
    return error_of([&] { check_consistent(set); });
  };
  CHECK(error([](auto&) {}) == "");
  CHECK(has(error([](auto& s) { s.palette.pop_back(); }), "'tiny' has 1 colours for 2 classes"));
  CHECK(has(error([](auto& s) { s.pairs.clear(); }), "no pair"));
  CHECK(has(error([](auto& s) { s.train_ids[9] = 2; }), "turns label value 9 into class 2, but has 2 classes"));
  CHECK(has(error([](auto& s) { s.class_names.clear(); }), "has 0 classes"));
  CHECK(has(error([](auto& s) { s.samples.resize(2); }), "has 2 samples for 1 pairs"));
}
