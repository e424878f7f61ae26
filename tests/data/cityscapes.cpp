#include "moecnn/data/cityscapes.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "../io/scratch.hpp"
#include "pictures.hpp"
#include "real_data.hpp"

using namespace moecnn;
using data::Split;

TEST_CASE("label ids become train ids") {
  const auto ids = data::cityscapes_train_ids();
  const std::map<int, int> classes{{7, 0},   {8, 1},   {11, 2},  {12, 3},  {13, 4},  {17, 5},  {19, 6},
                                   {20, 7},  {21, 8},  {22, 9},  {23, 10}, {24, 11}, {25, 12}, {26, 13},
                                   {27, 14}, {28, 15}, {31, 16}, {32, 17}, {33, 18}};
  for (int id = 0; id < 256; ++id) {
    const auto at = classes.find(id);
    CHECK(ids[id] == (at != classes.end() ? at->second : id < 34 ? 255 : 254));
  }
}

TEST_CASE("the official layout is found, and its absence told") {
  Scratch dir;
  namespace fs = std::filesystem;
  const auto error = [&] { return error_of([&] { data::cityscapes(dir.dir(), Split::train); }); };
  CHECK(has(error(), "Cityscapes train: the folder " + (dir / "leftImg8bit/train").string() + " is not there"));
  CHECK(has(error(), "gtFine/SPLIT/CITY/X_gtFine_labelIds.png"));
  fs::create_directories(dir / "leftImg8bit/train/ulm");
  CHECK(has(error(), "gtFine/train is not there"));
  fs::create_directories(dir / "gtFine/train/ulm");
  CHECK(has(error(), "but there is none (0 files"));
  put_bytes(dir / "leftImg8bit/train/ulm/ulm_1_2_leftImg8bit.png", pictures::png(1, 2, pictures::pattern(6)));
  CHECK(has(error(), "but there is none (1 files"));
  put_bytes(dir / "gtFine/train/ulm/ulm_1_2_gtFine_instanceIds.png", pictures::label_png(1, 2, {7, 8}));
  put_bytes(dir / "gtFine/train/ulm/ulm_1_2_gtFine_labelIds.png", pictures::label_png(1, 2, {33, 0}));
  const auto set = data::cityscapes(dir.dir(), Split::train);
  CHECK_NOTHROW(check_consistent(set));
  CHECK(set.name == "Cityscapes train");
  CHECK(set.pairs[0].id == "ulm/ulm_1_2");
  CHECK(set.class_names[13] == "car");
  CHECK(set.palette[13] == data::Rgb{0, 0, 142});
  CHECK(load_sample(set, 0)->labels.values == std::vector<std::uint8_t>{18, 255});
}

TEST_CASE("a genuine pair of Cityscapes has train ids where a street has them") {
  const auto dir = real_data("cityscapes");
  if (!dir) return;
  const auto set = data::cityscapes(*dir, Split::train);
  REQUIRE(set.size() >= 1);
  CHECK(set.pairs[0].id == "aachen/aachen_000004_000019");
  const auto sample = load_sample(set, 0);
  CHECK(sample->image.w == 2048);
  CHECK(sample->image.h == 1024);
  std::array<long long, 256> count{};
  for (std::uint8_t v : sample->labels.values) ++count[v];
  for (int v = 19; v < 255; ++v) CHECK(count[v] == 0);
  CHECK(count[0] > 400'000);                             // road
  CHECK(count[255] > 0);                                 // the bonnet
  CHECK(sample->labels.values[900 * 2048 + 1024] == 0);  // in front of the car
  // The same through the raw ids: label id 7 is road.
  const auto raw = data::read_label_map(set.pairs[0].labels);
  long long road = 0;
  for (std::uint8_t v : raw.values) road += v == 7;
  CHECK(road == count[0]);
  CHECK(has(error_of([&] {
              data::read_label_map(dir->string() + "/gtFine/train/aachen/aachen_000004_000019_gtFine_instanceIds.png");
            }),
            "16 bits a pixel"));
}

TEST_CASE("label maps without images are told") {
  const auto dir = real_data("cityscapes_labels_only");
  if (!dir) return;
  CHECK(has(error_of([&] { data::cityscapes(*dir, Split::val); }), "leftImg8bit/val is not there"));
  const auto maps = data::find_files({*dir / "gtFine/val", "_gtFine_labelIds", true, ".png"});
  CHECK(maps.size() == 15);
  const auto ids = data::cityscapes_train_ids();
  for (const auto& [key, file] : maps) {
    const auto map = data::read_label_map(file);
    CHECK(map.w == 2048);
    CHECK(std::none_of(map.values.begin(), map.values.end(), [&](auto v) { return ids[v] == data::unknown_label; }));
  }
}
