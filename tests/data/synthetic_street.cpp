#include "moecnn/data/synthetic_street.hpp"

#include <doctest/doctest.h>

#include <set>

#include "../io/scratch.hpp"

using namespace moecnn;

TEST_CASE("scenes are complete and depend on seed, split and index alone") {
  const auto set = data::synthetic_segmentation(8, 90, 160, 5);
  CHECK_NOTHROW(check_consistent(set));
  CHECK(set.in_memory());
  CHECK(set.size() == 8);
  CHECK(set.classes() == 10);
  const auto longer = data::synthetic_segmentation(10, 90, 160, 5);
  const auto other = data::synthetic_segmentation(8, 90, 160, 6);
  const auto val = data::synthetic_segmentation(8, 90, 160, 5, 10, data::Split::val);
  for (int i = 0; i < 8; ++i) {
    const auto& s = set.samples[i];
    CHECK(s.image.pixels.size() == 3 * 90 * 160);
    CHECK(s.labels.values.size() == 90 * 160);
    CHECK(s.image.pixels == longer.samples[i].image.pixels);
    CHECK(s.labels.values == longer.samples[i].labels.values);
    CHECK(s.labels.values != other.samples[i].labels.values);
    CHECK(s.labels.values != val.samples[i].labels.values);
    for (int j = 0; j < i; ++j) CHECK(s.labels.values != set.samples[j].labels.values);
  }
}

TEST_CASE("every class is there, and only the classes asked for") {
  for (int classes : {3, 5, 10}) {
    const auto set = data::synthetic_segmentation(20, 120, 200, 1, classes);
    std::vector<int> pixels(256);
    for (const auto& s : set.samples)
      for (std::uint8_t v : s.labels.values) ++pixels[v];
    for (int v = 0; v < 255; ++v) CHECK((pixels[v] > 0) == (v < classes));
    CHECK(pixels[255] > 0);  // the bonnet
    CHECK(pixels[255] < 20 * 120 * 20);
    CHECK(pixels[0] > 20 * 120 * 20);  // road, sky and houses are large
    CHECK(pixels[1] > 20 * 120 * 20);
    CHECK(pixels[2] > 20 * 120 * 10);
    CHECK(set.class_names.back() == (classes == 3 ? "building" : classes == 5 ? "car" : "rider"));
  }
}

TEST_CASE("classes look different: the mean colours are apart") {
  const auto set = data::synthetic_segmentation(30, 120, 200, 2);
  std::vector<std::array<double, 3>> mean(10);
  std::vector<double> count(10);
  for (const auto& s : set.samples)
    for (std::size_t i = 0; i < s.labels.values.size(); ++i)
      if (const int c = s.labels.values[i]; c < 10) {
        for (int k = 0; k < 3; ++k) mean[c][k] += s.image.pixels[k * s.image.plane() + i];
        ++count[c];
      }
  // Large things: road, sky, building, pavement, tree. Small things of any colour are told apart by shape.
  for (int a : {0, 1, 2, 3, 5})
    for (int b : {0, 1, 2, 3, 5}) {
      if (a >= b) continue;
      double distance = 0;
      for (int k = 0; k < 3; ++k) distance += std::abs(mean[a][k] / count[a] - mean[b][k] / count[b]);
      CHECK(distance > 25);
    }
}

TEST_CASE("sizes and numbers of classes are checked") {
  CHECK(has(error_of([] { data::synthetic_segmentation(0, 10, 10, 1); }), "0 synthetic scenes"));
  CHECK(has(error_of([] { data::synthetic_segmentation(1, 10, 7, 1); }), "at least 1 of 8 × 8"));
  CHECK(has(error_of([] { data::synthetic_segmentation(1, 10, 10, 1, 11); }), "3 to 10 are there"));
  CHECK(data::synthetic_segmentation(1, 8, 8, 1, 3).samples[0].image.w == 8);
}
