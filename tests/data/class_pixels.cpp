#include "moecnn/data/class_pixels.hpp"

#include <doctest/doctest.h>

#include "data/pictures.hpp"
#include "io/scratch.hpp"
#include "moecnn/data/synthetic_street.hpp"

using namespace moecnn;

TEST_CASE("pixels of each class, with any number of threads, from memory and from files") {
  const auto set = data::synthetic_segmentation(4, 16, 24, 1);
  std::vector<long long> truth(10);
  for (const auto& sample : set.samples)
    for (std::uint8_t v : sample.labels.values)
      if (v < 10) ++truth[v];
  for (int threads : {1, 3}) CHECK(data::class_pixels(set, threads) == truth);

  const Scratch dir;
  data::SegmentationSet files{
      .name = "files", .class_names = {"a", "b"}, .palette = {{}, {}}, .train_ids = data::plain_train_ids(2, 7)};
  put_bytes(dir / "one.png", pictures::label_png(1, 4, {0, 1, 1, 7}));
  put_bytes(dir / "two.png", "no picture");
  files.pairs = {{"", dir / "one.png", "one"}, {"", dir / "two.png", "two"}};
  CHECK(data::class_pixels(files) == std::vector<long long>{1, 2});
}

TEST_CASE("rare classes weigh more") {
  const auto w = data::rare_class_weights({0, 1, 3});
  CHECK(w[0] == doctest::Approx(1 / std::log(1.02)));
  CHECK(w[1] == doctest::Approx(1 / std::log(1.27)));
  CHECK(w[2] == doctest::Approx(1 / std::log(1.77)));
}
