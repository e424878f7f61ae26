#include "moecnn/data/camvid.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "../io/scratch.hpp"
#include "pictures.hpp"
#include "real_data.hpp"

using namespace moecnn;
using data::Split;

TEST_CASE("folders or a list, and neither is told") {
  Scratch dir;
  namespace fs = std::filesystem;
  CHECK(has(error_of([&] { data::camvid(dir.dir(), Split::test); }),
            "CamVid test: the folder " + (dir / "test").string() + " is not there. Expected is SPLIT/X.png"));
  fs::create_directories(dir / "val"), fs::create_directories(dir / "valannot");
  for (const char* name : {"1", "2"}) {
    put_bytes(dir / ("val/" + std::string(name) + ".jpg"), pictures::jpeg(1, 3, pictures::ramp(1, 3)));
    put_bytes(dir / ("valannot/" + std::string(name) + ".png"), pictures::label_png(1, 3, {10, 11, 12}));
  }
  auto set = data::camvid(dir.dir(), Split::val);
  CHECK_NOTHROW(check_consistent(set));
  CHECK(set.size() == 2);
  CHECK(set.classes() == 11);
  CHECK(load_sample(set, 1)->labels.values == std::vector<std::uint8_t>{10, 255, 255});
  put_bytes(dir / "val.txt", "val/2.jpg valannot/2.png\n");
  set = data::camvid(dir.dir(), Split::val);
  REQUIRE(set.size() == 1);
  CHECK(set.pairs[0].id == "2");
  put_bytes(dir / "val.txt", "val/3.jpg valannot/3.png\n");
  CHECK(has(error_of([&] { data::camvid(dir.dir(), Split::val); }), "but there is none (1 files without"));
}

TEST_CASE("CamVid has the known number of pairs, by list and by folder") {
  const auto dir = real_data("camvid");
  if (!dir) return;
  const auto train = data::camvid(*dir, Split::train);
  CHECK(train.size() == 367);
  CHECK(data::camvid(*dir, Split::val).size() == 101);
  CHECK(data::camvid(*dir, Split::test).size() >= 213);
  data::SegmentationSet folders;
  pair_files(folders, {*dir / "train", ""}, {*dir / "trainannot", "", false, ".png"});
  CHECK(folders.unpaired.empty());
  REQUIRE(folders.size() == train.size());
  for (int i = 0; i < train.size(); ++i) {
    CHECK(std::any_of(folders.pairs.begin(), folders.pairs.end(),
                      [&](const auto& p) { return p.id == train.pairs[i].id; }));
    if (i % 50 == 0) {
      const auto sample = load_sample(train, i);
      CHECK(sample->image.w == 480);
      CHECK(sample->image.h == 360);
    }
  }
}

TEST_CASE("a JPEG looks like the PNG that it was made from") {
  const auto dir = real_data("camvid/original_png/train");
  if (!dir) return;
  int compared = 0;
  for (const auto& [id, file] : data::find_files({*dir, ""})) {
    const auto png = data::read_image(file);
    const auto jpeg = data::read_image(*dir / "../../train" / (id + ".jpg"));
    REQUIRE(png.pixels.size() == jpeg.pixels.size());
    double squares = 0;
    for (std::size_t i = 0; i < png.pixels.size(); ++i) squares += std::pow(png.pixels[i] - jpeg.pixels[i], 2);
    const double psnr = 10 * std::log10(255.0 * 255 * static_cast<double>(png.pixels.size()) / squares);
    CHECK(psnr > 33);
    ++compared;
  }
  CHECK(compared >= 1);
}
