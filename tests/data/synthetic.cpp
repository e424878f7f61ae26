#include "moecnn/data/synthetic.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <set>
#include <thread>

#include "../io/scratch.hpp"

using namespace moecnn;
using data::Split;

TEST_CASE("the set is complete, balanced and shuffled") {
  const auto set = data::synthetic(500, 1, Split::train);
  CHECK_NOTHROW(check_consistent(set));
  CHECK(set.n == 500);
  CHECK(set.h == 32);
  CHECK(set.classes() == 100);
  CHECK(set.family_names.size() == 20);
  CHECK(set.family_names[0] == "striped red discs");
  CHECK(set.class_names[1] == "hollow striped red disc");
  for (int block = 0; block < 5; ++block) {
    std::set<int> labels(set.labels.begin() + block * 100, set.labels.begin() + block * 100 + 100);
    CHECK(labels.size() == 100);
  }
  CHECK(std::vector(set.labels.begin(), set.labels.begin() + 100) !=
        std::vector(set.labels.begin() + 100, set.labels.begin() + 200));
  for (int i = 0; i < set.n; ++i) REQUIRE(set.families[i] == set.labels[i] / 5);
  CHECK(std::set(set.class_names.begin(), set.class_names.end()).size() == 100);
}

TEST_CASE("every texture, outline and colour belongs to two families") {
  std::multiset<int> textures, shapes;
  std::multiset<std::string> colours;
  for (const auto& f : data::families) {
    textures.insert(int(f.texture));
    shapes.insert(int(f.shape));
    colours.insert(f.colour_name);
  }
  for (int i = 0; i < 10; ++i) {
    CHECK(textures.count(i) == 2);
    CHECK(shapes.count(i) == 2);
  }
  for (const std::string& c : colours) CHECK(colours.count(c) == 2);
}

TEST_CASE("an image depends on seed, split and index alone") {
  const auto set = data::synthetic(60, 7, Split::train);
  const auto longer = data::synthetic(90, 7, Split::train);
  CHECK(std::equal(set.pixels.begin(), set.pixels.end(), longer.pixels.begin()));
  CHECK(std::equal(set.labels.begin(), set.labels.end(), longer.labels.begin()));
  CHECK(data::synthetic(60, 8, Split::train).pixels != set.pixels);
  const auto test = data::synthetic(60, 7, Split::test).pixels, val = data::synthetic(60, 7, Split::val).pixels;
  CHECK(test != set.pixels);
  CHECK(val != set.pixels);
  CHECK(val != test);
  data::ImageSet other;
  std::thread([&] { other = data::synthetic(60, 7, Split::train); }).join();
  CHECK(other.pixels == set.pixels);
  CHECK(has(error_of([] { data::synthetic(0, 1, Split::train); }), "at least 1"));
}

TEST_CASE("classes differ, and images of one class do too") {
  const Rng rng(1, Purpose::synthetic);
  std::vector<std::uint8_t> a(3072), b(3072);
  std::set<std::vector<std::uint8_t>> seen;
  // The same draws for every class: only the class makes the difference.
  for (int label = 0; label < 100; ++label) {
    data::draw_synthetic(rng, 5, label, a.data());
    seen.insert(a);
  }
  CHECK(seen.size() == 100);
  data::draw_synthetic(rng, 5, 30, a.data());
  data::draw_synthetic(rng, 6, 30, b.data());
  CHECK(a != b);
}

TEST_CASE("colours of a family can be told from its pixels, but not without error") {
  // Nearest family by the mean colour of the image's middle: far above chance (1 in 20), far from perfect.
  const auto train = data::synthetic(2000, 3, Split::train), test = data::synthetic(1000, 3, Split::test);
  const auto middle = [](const data::ImageSet& set, int i) {
    std::array<double, 3> sum{};
    for (int c = 0; c < 3; ++c)
      for (int y = 12; y < 20; ++y)
        for (int x = 12; x < 20; ++x) sum[c] += set.image(i)[c * 1024 + y * 32 + x] / 64.0;
    return sum;
  };
  std::array<std::array<double, 3>, 20> centre{};
  for (int i = 0; i < train.n; ++i) {
    const auto m = middle(train, i);
    for (int c = 0; c < 3; ++c) centre[train.families[i]][c] += m[c] / 100;
  }
  int right = 0;
  for (int i = 0; i < test.n; ++i) {
    const auto m = middle(test, i);
    int best = 0;
    double least = 1e30;
    for (int f = 0; f < 20; ++f) {
      double d = 0;
      for (int c = 0; c < 3; ++c) d += (m[c] - centre[f][c]) * (m[c] - centre[f][c]);
      if (d < least) least = d, best = f;
    }
    right += best == test.families[i];
  }
  CHECK(right > 150);
  CHECK(right < 700);
}
