#include "moecnn/data/pair_files.hpp"

#include <doctest/doctest.h>

#include "../io/scratch.hpp"

using namespace moecnn;
namespace fs = std::filesystem;

namespace {

void touch(const fs::path& path) {
  fs::create_directories(path.parent_path());
  put_bytes(path, "x");
}

}  // namespace

TEST_CASE("files are paired by what comes before the suffix, folder by folder") {
  Scratch dir;
  for (const char* name : {"img/b/2_i.png", "img/a/1_i.png", "img/a/3_i.JPG", "img/a/notes.txt", "img/a/._1_i.png",
                           "img/stray_i.png", "img/a/x_other.png", "map/a/1_l.png", "map/a/3_l.png", "map/b/2_l.jpg",
                           "map/b/9_l.png", "map/a/1_instances.png"})
    touch(dir / name);
  data::SegmentationSet set;
  pair_files(set, {dir / "img", "_i", true}, {dir / "map", "_l", true, ".png"});
  REQUIRE(set.size() == 2);
  CHECK(set.pairs[0].id == "a/1");
  CHECK(set.pairs[0].image == dir / "img/a/1_i.png");
  CHECK(set.pairs[0].labels == dir / "map/a/1_l.png");
  CHECK(set.pairs[1].id == "a/3");
  REQUIRE(set.unpaired.size() == 2);
  CHECK(set.unpaired[0].present == dir / "img/b/2_i.png");
  CHECK(set.unpaired[0].expected == dir / "map/b/2_l.png");
  CHECK(set.unpaired[1].present == dir / "map/b/9_l.png");
  CHECK(set.unpaired[1].expected == dir / "img/b/9_i.png");
  CHECK(error_of([&] { check_paired(set, dir.dir(), "this"); }) == "");
}

TEST_CASE("one picture in two formats is refused") {
  Scratch dir;
  touch(dir / "a/1.png"), touch(dir / "a/1.jpg");
  CHECK(has(error_of([&] { data::find_files({dir / "a", ""}); }), "are the same picture twice"));
  CHECK(data::find_files({dir / "a", "", false, ".png"}).size() == 1);
  CHECK(has(error_of([&] { data::find_files({dir / "none", ""}); }), "cannot read the folder"));
}

TEST_CASE("a list names pairs, also with the paths of another machine") {
  Scratch dir;
  for (const char* name : {"train/1.jpg", "train/2.jpg", "trainannot/1.png", "trainannot/3.png"}) touch(dir / name);
  put_bytes(dir / "train.txt",
            "train/1.jpg trainannot/1.png \r\n\n/far/CamVid/train/1.jpg\t /far/CamVid/trainannot/1.png\n"
            "train/2.jpg trainannot/2.png\ntrain/3.jpg trainannot/3.png\ntrain/4.jpg trainannot/4.png\n");
  data::SegmentationSet set;
  pair_by_list(set, dir / "train.txt", dir.dir());
  REQUIRE(set.size() == 2);
  for (const auto& pair : set.pairs) {
    CHECK(pair.image == dir / "train/1.jpg");
    CHECK(pair.labels == dir / "trainannot/1.png");
    CHECK(pair.id == "1");
  }
  REQUIRE(set.unpaired.size() == 3);
  CHECK(set.unpaired[0].present == dir / "train/2.jpg");
  CHECK(set.unpaired[0].expected == dir / "trainannot/2.png");
  CHECK(set.unpaired[1].present == dir / "trainannot/3.png");
  CHECK(set.unpaired[1].expected == dir / "train/3.jpg");
  CHECK(set.unpaired[2].present == "");
  CHECK(set.unpaired[2].expected == dir / "train/4.jpg");

  for (const char* bad : {"train/1.jpg\n", "a b c\n", "a \n"}) {
    put_bytes(dir / "bad.txt", std::string("train/1.jpg trainannot/1.png\n") + bad);
    CHECK(has(error_of([&] { pair_by_list(set, dir / "bad.txt", dir.dir()); }), "bad.txt, line 2: expected the names"));
  }
}

TEST_CASE("a set of no pairs says what was expected") {
  data::SegmentationSet set{.name = "S train"};
  set.unpaired.resize(15);
  const std::string error = error_of([&] { check_paired(set, "/d", "a/b.png"); });
  CHECK(has(error, "S train needs pairs of an image and a label map in /d, but there is none (15 files without"));
  CHECK(has(error, "Expected is a/b.png"));
}
