#include "moecnn/data/image_set.hpp"

#include <doctest/doctest.h>

#include "../io/scratch.hpp"

using namespace moecnn;

TEST_CASE("sets whose parts do not fit together are told apart") {
  const auto set = [] {
    data::ImageSet s;
    s.n = 2, s.h = 2, s.w = 3;
    s.name = "two";
    s.pixels.resize(2 * 18);
    s.labels = {0, 1};
    s.class_names = {"a", "b"};
    return s;
  };
  CHECK(error_of([&] { check_consistent(set()); }) == "");
  auto s = set();
  s.pixels.pop_back();
  CHECK(has(error_of([&] { check_consistent(s); }), "'two' has 35 pixel bytes, expected 36"));
  s = set();
  s.labels.push_back(0);
  CHECK(has(error_of([&] { check_consistent(s); }), "3 labels for 2 images"));
  s = set();
  s.labels[1] = 2;
  CHECK(has(error_of([&] { check_consistent(s); }), "image 1 of 'two' has label 2, but there are 2 classes"));
  s = set();
  s.families = {0};
  CHECK(has(error_of([&] { check_consistent(s); }), "1 families"));
  CHECK(has(error_of([&] { check_consistent(data::ImageSet{}); }), "at least one image"));
}
