#include "moecnn/data/cifar100.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "../io/scratch.hpp"
#include "moecnn/core/rng.hpp"
#include "real_data.hpp"

using namespace moecnn;
using data::Split;

namespace {

/// `n` records; record i has the labels i % 20 and i % 100 and pixel bytes that tell channel and place.
std::string records(int n, int label_bytes = 2) {
  std::string all;
  for (int i = 0; i < n; ++i) {
    if (label_bytes == 2) all += static_cast<char>(i % 20);
    all += static_cast<char>(i % (label_bytes == 2 ? 100 : 10));
    for (int p = 0; p < 3072; ++p) all += static_cast<char>(p / 1024 * 50 + p % 50 + i);
  }
  return all;
}

}  // namespace

TEST_CASE("records are read in order, planar, with both labels") {
  Scratch dir;
  put_bytes(dir / "train.bin", records(7));
  put_bytes(dir / "test.bin", records(3));
  const auto train = data::load_cifar100(dir.dir(), Split::train);
  CHECK(train.n == 7);
  CHECK(train.h == 32);
  CHECK(train.w == 32);
  CHECK(train.name == "CIFAR-100 train");
  CHECK(train.labels == std::vector{0, 1, 2, 3, 4, 5, 6});
  CHECK(train.families == train.labels);
  CHECK(train.image(0)[0] == 0);
  CHECK(train.image(2)[1024] == 50 + 1024 % 50 + 2);
  CHECK(train.image(6)[3071] == 100 + 3071 % 50 + 6);
  CHECK(train.classes() == 100);
  CHECK(train.class_names[17] == "class 17");
  CHECK(train.family_names[19] == "family 19");
  CHECK(data::load_cifar100(dir.dir(), Split::test).n == 3);
  CHECK_NOTHROW(check_consistent(train));
}

TEST_CASE("CIFAR-10 has one label and five training files") {
  Scratch dir;
  for (int b = 1; b <= 5; ++b) put_bytes(dir / ("data_batch_" + std::to_string(b) + ".bin"), records(b, 1));
  put_bytes(dir / "test_batch.bin", records(2, 1));
  const auto train = data::load_cifar10(dir.dir(), Split::train);
  CHECK(train.n == 15);
  CHECK(train.families.empty());
  CHECK(train.classes() == 10);
  CHECK(train.labels == std::vector{0, 0, 1, 0, 1, 2, 0, 1, 2, 3, 0, 1, 2, 3, 4});
  CHECK(train.image(14)[0] == 4);
  CHECK(data::load_cifar10(dir.dir(), Split::test).n == 2);
  std::filesystem::remove(dir / "data_batch_3.bin");
  CHECK(has(error_of([&] { data::load_cifar10(dir.dir(), Split::train); }), "but data_batch_3.bin is not there"));
}

TEST_CASE("names come from the optional files and must be complete") {
  Scratch dir;
  put_bytes(dir / "train.bin", records(1));
  std::string names;
  for (int i = 0; i < 100; ++i) names += "n" + std::to_string(i) + "\r\n";
  put_bytes(dir / "fine_label_names.txt", names + "\n");
  CHECK(data::load_cifar100(dir.dir(), Split::train).class_names[99] == "n99");
  put_bytes(dir / "coarse_label_names.txt", "one\ntwo\n");
  CHECK(has(error_of([&] { data::load_cifar100(dir.dir(), Split::train); }), "has 2 names, expected 20"));
}

TEST_CASE("missing, cut and foreign files are told, with what to do") {
  Scratch dir;
  const auto error = [&](Split split = Split::train) {
    return error_of([&] { data::load_cifar100(dir.dir(), split); });
  };
  CHECK(has(error(), "needs train.bin in " + dir.dir().string()));
  CHECK(has(error(), "cifar-100-binary.tar.gz"));
  CHECK(has(error(Split::test), "test.bin is not there"));
  CHECK(has(error(Split::val), "has the parts train and test"));
  CHECK(has(error_of([&] { data::load_cifar100(dir / "no folder", Split::train); }), "train.bin is not there"));
  const std::string good = records(3);
  put_bytes(dir / "train.bin", good.substr(0, good.size() - 1));
  CHECK(has(
      error(),
      "train.bin has 9221 bytes, which is not a whole number of 3074-byte records of CIFAR-100 (2 records and 3073"));
  put_bytes(dir / "train.bin", good + "x");
  CHECK(has(error(), "(3 records and 1 bytes)"));
  put_bytes(dir / "train.bin", "");
  CHECK(has(error(), "it is empty, cut short"));
  put_bytes(dir / "train.bin", records(4, 1));
  CHECK(has(error(), "looks like the other CIFAR"));
  std::filesystem::remove(dir / "train.bin");
  std::filesystem::create_directory(dir / "train.bin");
  CHECK(has(error(), "train.bin is not there"));
}

TEST_CASE("labels out of range are told with file and record") {
  Scratch dir;
  std::string bytes = records(5);
  bytes[3074 * 3 + 1] = 100;
  put_bytes(dir / "test.bin", bytes);
  const std::string fine = error_of([&] { data::load_cifar100(dir.dir(), Split::test); });
  CHECK(has(fine, "test.bin: record 3 has class label 100, CIFAR-100 has 0 to 99"));
  bytes = records(5);
  bytes[3074 * 4] = 20;
  put_bytes(dir / "test.bin", bytes);
  const std::string coarse = error_of([&] { data::load_cifar100(dir.dir(), Split::test); });
  CHECK(has(coarse, "test.bin: record 4 has coarse label 20, CIFAR-100 has 0 to 19"));
  bytes = records(1, 1);
  bytes[0] = 10;
  put_bytes(dir / "test_batch.bin", bytes);
  CHECK(has(error_of([&] { data::load_cifar10(dir.dir(), Split::test); }),
            "record 0 has class label 10, CIFAR-10 has 0 to 9"));
}

TEST_CASE("random damage gives a set that holds together or an error") {
  Scratch dir;
  const std::string good = records(3);
  const Rng rng(3, Purpose::other);
  int read = 0, refused = 0;
  for (int round = 0; round < 500; ++round) {
    std::string bad = good;
    switch (rng.below(4, round, 0)) {
      case 0: bad.resize(rng.below(good.size() + 1, round, 1)); break;
      case 1: bad += std::string(rng.below(5000, round, 1), '\7'); break;
      case 2:
        bad[3074 * rng.below(3, round, 1) + rng.below(2, round, 2)] = static_cast<char>(rng.below(256, round, 3));
        break;
      default: bad[rng.below(good.size(), round, 1)] ^= static_cast<char>(rng.below(256, round, 2)); break;
    }
    put_bytes(dir / "train.bin", bad);
    try {
      const auto set = data::load_cifar100(dir.dir(), Split::train);
      check_consistent(set);
      for (int family : set.families) REQUIRE(family < 20);
      ++read;
    } catch (const Error&) {
      ++refused;
    }
  }
  CHECK(read > 50);
  CHECK(refused > 100);
}

// The folder `cifar100/` of real data holds train.bin, test.bin and the two files of names.
TEST_CASE("the real CIFAR-100 has the published facts") {
  const auto folder = real_data("cifar100");
  if (!folder) return;
  const auto set = data::load_cifar100(*folder, Split::train);
  REQUIRE(set.n == 50000);
  CHECK(set.families[0] == 11);
  CHECK(set.labels[0] == 19);
  CHECK(set.class_names[19] == "cattle");
  CHECK(set.family_names[11] == "large_omnivores_and_herbivores");
  for (int i = 0; i < 5; ++i) CHECK(set.image(0)[i] == 255);
  const double mean[] = {0.50708, 0.48655, 0.44092}, deviation[] = {0.26733, 0.25644, 0.27615};
  for (int c = 0; c < 3; ++c) {
    std::uint64_t sum = 0, squares = 0;
    for (int i = 0; i < set.n; ++i)
      for (int p = 0; p < 1024; ++p) {
        const std::uint64_t v = set.image(i)[c * 1024 + p];
        sum += v;
        squares += v * v;
      }
    const double n = 50000.0 * 1024, m = static_cast<double>(sum) / n;
    CHECK(m / 255 == doctest::Approx(mean[c]).epsilon(2e-5));
    CHECK(std::sqrt(static_cast<double>(squares) / n - m * m) / 255 == doctest::Approx(deviation[c]).epsilon(2e-5));
  }
  std::vector<int> count(100), family(100, -1), members(20);
  for (int i = 0; i < set.n; ++i) {
    const int c = set.labels[i];
    ++count[c];
    if (family[c] < 0) ++members[set.families[i]];
    REQUIRE((family[c] < 0 || family[c] == set.families[i]));
    family[c] = set.families[i];
  }
  CHECK(count == std::vector<int>(100, 500));
  CHECK(members == std::vector<int>(20, 5));
}
