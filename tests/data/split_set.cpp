#include "moecnn/data/split_set.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace moecnn;

namespace {

/// `n` images of one pixel, whose bytes are their number; image i has class i mod 3, but class 2 is rare.
data::ImageSet numbered(int n) {
  data::ImageSet set{.n = n, .h = 1, .w = 1, .class_names = {"a", "b", "c"}, .family_names = {"f", "g"}, .name = "set"};
  for (int i = 0; i < n; ++i) {
    set.pixels.insert(set.pixels.end(), 3, static_cast<std::uint8_t>(i));
    set.labels.push_back(i % 10 == 2 ? 2 : i % 2);
    set.families.push_back(i % 2);
  }
  return set;
}

int count(const data::ImageSet& set, int label) {
  return static_cast<int>(std::count(set.labels.begin(), set.labels.end(), label));
}

}  // namespace

TEST_CASE("split_off: both parts together are the set, each class gives its share, and labels stay with their images") {
  const data::ImageSet all = numbered(200);
  const auto [train, validation] = data::split_off(all, 0.25, 7);
  check_consistent(train);
  check_consistent(validation);
  CHECK(train.n == 150);
  CHECK(validation.n == 50);
  for (int c = 0; c < 3; ++c) CHECK(count(validation, c) == count(all, c) / 4);

  std::set<int> seen;
  for (const auto* part : {&train, &validation})
    for (int i = 0; i < part->n; ++i) {
      const int number = part->image(i)[0];
      CHECK(seen.insert(number).second);
      CHECK(part->labels[i] == all.labels[number]);
      CHECK(part->families[i] == all.families[number]);
      if (i > 0) CHECK(part->image(i - 1)[0] < number);
    }
  CHECK(seen.size() == 200);
  CHECK(validation.name == "set for validation");
}

TEST_CASE("split_off: the seed alone decides, and it does decide") {
  const data::ImageSet all = numbered(200);
  CHECK(data::split_off(all, 0.25, 7).validation.pixels == data::split_off(all, 0.25, 7).validation.pixels);
  CHECK(data::split_off(all, 0.25, 7).validation.pixels != data::split_off(all, 0.25, 8).validation.pixels);
}

TEST_CASE("split_off and subset: impossible shares and places are refused") {
  const data::ImageSet all = numbered(20);
  for (const double share : {0.0, 1.0, -0.1, 1.5, std::nan("")}) CHECK_THROWS_AS(data::split_off(all, share), Error);
  CHECK_THROWS_WITH_AS(
      data::split_off(numbered(2), 0.1),
      "0.1 of the 2 images of 'set' for validation leaves one of the parts empty; choose another share", Error);
  const int beyond[] = {20};
  CHECK_THROWS_WITH_AS(data::subset(all, beyond, "part"), "image 20 of 'set' was asked for, which has 20 (from 0)",
                       Error);
}
