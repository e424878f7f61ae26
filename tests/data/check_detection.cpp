#include "moecnn/data/check_detection.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "coco_files.hpp"
#include "real_data.hpp"

using namespace moecnn;
using data::DetectionFault;

TEST_CASE("all that is wrong is found, in order, with any number of threads") {
  CocoFiles files;
  for (const char* name : {"a", "b", "c", "d", "e"}) files.picture(name[0], std::string(name) + ".png");
  files.image(R"({"id": 102, "file_name": "a.png", "width": 30, "height": 20})");
  files.image(R"({"id": "x", "file_name": "y.png", "width": 30, "height": 20})");
  files.box(1, 'a', "[1, 2, 3, 4]");
  files.box(2, 'a', "[28.5, 2, 3, 4]", R"("category_id": 90, "area": 5000)");
  files.box(3, 'a', "[4, -1, 3, 4]", R"("category_id": 90, "iscrowd": 1)");
  files.box(4, 'b', "[4, 1, 0, 4]");
  files.box(5, 'b', "[0, 0, 30.005, 20]", R"("category_id": 3, "area": 10000)");
  files.box(6, 'z', "[0, 0, 1, 1]");
  files.box(7, 'b', "[0, 0, 1, 1]", R"("category_id": 5)");
  std::filesystem::remove(files.dir / "b.png");
  put_bytes(files.dir / "c.png", bytes_of(files.dir / "c.png").substr(0, 60));
  put_bytes(files.dir / "d.png", pictures::png(30, 20, std::vector<std::uint8_t>(1800)));

  const auto set = files.read({.keep_going = true});
  std::string first;
  for (int threads : {1, 2, 5}) {
    const auto result = check_detection(set, threads);
    CHECK(!result.ok());
    CHECK(result.findings.size() == 10);
    REQUIRE(result.findings.list().size() == 10);
    const auto is = [&](std::size_t i, DetectionFault kind, const std::string& part) {
      CAPTURE(result.findings.list()[i].what);
      CHECK(result.findings.list()[i].kind == kind);
      CHECK(has(result.findings.list()[i].what, part));
    };
    is(0, DetectionFault::wrong_record, "(images[6].id): expected a number, found");
    is(1, DetectionFault::unknown_picture, "image_id is 122, which no image has");
    is(2, DetectionFault::unknown_category, "category_id is 5");
    is(3, DetectionFault::duplicate, "a.png is the file of two pictures, with the ids 97 and 102");
    is(4, DetectionFault::outside,
       "a.png, annotation 2 (dog): the box [28.5, 2, 3, 4] reaches out of the picture, which has 30 × 20 pixels; it is "
       "clipped in training");
    is(5, DetectionFault::outside, "annotation 3 (dog): the box [4, -1, 3, 4]");
    is(6, DetectionFault::no_size, "b.png, annotation 4 (cat): the box [4, 1, 0, 4] has no size");
    is(7, DetectionFault::unreadable, "b.png is not there");
    is(8, DetectionFault::unreadable, "c.png cannot be decoded as PNG");
    is(9, DetectionFault::other_size, "d.png has 20 × 30 pixels, but its annotations say 30 × 20");
    CHECK(result.classes[0].small == 2);
    CHECK(result.classes[0].large == 1);
    CHECK(result.classes[1].medium == 1);
    CHECK(result.classes[1].crowds == 1);
    CHECK(result.without_objects == 4);
    if (first.empty()) first = text(result);
    CHECK(text(result) == first);
  }
  CHECK(has(first, "boxes: 6 pictures, 5 boxes, 10 findings\n  4 pictures without objects\n  30 × 20: 6 pictures\n"));
  CHECK(has(first, "  cat                          3         2         0         1         0\n"));
  CHECK(has(first, "  all                          4         2         1         1         1\n"));
  CHECK(std::count(first.begin(), first.end(), '!') == 10);
}

TEST_CASE("boxes over each of the four edges") {
  CocoFiles files;
  files.picture(1, "a.png");
  int id = 0;
  for (const char* box : {"[-1, 2, 3, 4]", "[2, -1, 3, 4]", "[28, 2, 3, 4]", "[2, 17, 3, 4]", "[0, 0, 30, 20]"})
    files.box(++id, 1, box);
  const auto result = check_detection(files.read());
  REQUIRE(result.findings.list().size() == 4);
  for (int i = 0; i < 4; ++i)
    CHECK(has(result.findings.list()[static_cast<std::size_t>(i)].what, "annotation " + std::to_string(i + 1)));
}

TEST_CASE("the text of a list that was cut says so") {
  CocoFiles files;
  files.picture(1, "a.png");
  for (int i = 0; i < 1500; ++i) files.box(i, 1, "[1, 2, 0, 0]");
  const auto result = check_detection(files.read());
  CHECK(result.findings.of_kind(DetectionFault::no_size) == 1500);
  CHECK(has(text(result), "  ! and 500 more like these\n"));
}

TEST_CASE("the real sets") {
  for (const auto& [name, findings] : {std::pair{"coco", 0}, {"bccd", 0}}) {
    const auto dir = real_data(std::string("detection/") + name);
    if (!dir) return;
    const bool coco = name == std::string("coco");
    const auto result =
        check_detection(coco ? data::coco(*dir, "val2017", {.keep_going = true})
                             : data::coco_json(*dir / "annotations/instances_test.json", *dir / "images"));
    CAPTURE(text(result));
    CHECK(result.findings.size() == findings);
    CHECK(result.pictures == (coco ? 33 : 57));
  }
}
