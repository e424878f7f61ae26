#include "moecnn/data/coco.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "coco_files.hpp"
#include "moecnn/core/rng.hpp"
#include "peak_memory.hpp"
#include "real_data.hpp"

using namespace moecnn;
using data::DetectionFault;

namespace {

std::array<double, 4> numbers(const data::CocoBox& b) { return {b.x, b.y, b.w, b.h}; }

/// A good file with two pictures, to which a test adds something.
struct Good : CocoFiles {
  Good() {
    picture(20, "b.png");
    picture(10, "a.png", 40, 50);
    box(5, 20, "[1, 2, 3.5, 4]");
  }
};

/// Reading stops at the wrong record with an error that has all of these parts, and goes on without it if told so: the
/// finding is of that kind, and `left` objects remain.
void check_wrong(const CocoFiles& files, DetectionFault kind, std::initializer_list<std::string> parts, int left = 1) {
  const std::string error = error_of([&] { files.read(); });
  CAPTURE(error);
  for (const std::string& part : parts) CHECK(has(error, part));
  CHECK(has(error, "boxes.json"));
  CHECK(has(error, "; correct the record or take it out"));
  const auto set = files.read({.keep_going = true});
  REQUIRE(set.findings.size() == 1);
  CHECK(set.findings.list()[0].kind == kind);
  CHECK(set.findings.list()[0].what + "; correct the record or take it out" == error);
  CHECK(set.objects.size() == static_cast<std::size_t>(left));
  CHECK(error_of([&] { check_consistent(set); }).empty());
}

}  // namespace

TEST_CASE("pictures by their ids, classes by the rank of theirs, objects in the order of the file") {
  Good files;
  files.box(7, 10, "[0, 0, 10, 20]", R"("category_id": 90, "iscrowd": 1, "area": 120.5)");
  files.box(6, 10, "[4.25, 5, 0, 3]", R"("category_id": 3, "iscrowd": 0, "area": 0)");
  files.picture(15, "no objects.png");
  files.categories = R"({"name": "dog", "id": 90, "supercategory": "animal"}, {"id": 3, "name": "cat"})";
  const auto set = files.read();
  check_consistent(set);
  CHECK(set.name == "boxes");
  CHECK(set.class_names == std::vector<std::string>{"cat", "dog"});
  CHECK(set.category_ids == std::vector<std::int64_t>{3, 90});
  REQUIRE(set.size() == 3);
  CHECK(set.pictures[0].file == "a.png");
  CHECK(set.pictures[1].id == 15);
  CHECK(set.file(2) == files.dir / "b.png");
  CHECK(set.pictures[0].width == 50);
  CHECK(set.pictures[0].height == 40);
  CHECK(set.objects_of(1).empty());
  REQUIRE(set.objects_of(0).size() == 2);
  CHECK(set.annotation_ids_of(0)[0] == 7);
  CHECK(set.objects_of(0)[0].label == 1);
  CHECK(set.objects_of(0)[0].crowd);
  CHECK(set.objects_of(0)[0].area == 120.5);
  CHECK(set.objects_of(0)[0].box == detection::Box{0, 0, 10, 20});
  CHECK(numbers(set.boxes_of(0)[1]) == std::array{4.25, 5.0, 0.0, 3.0});  // of no size, and kept
  CHECK(!set.objects_of(0)[1].crowd);
  CHECK(set.objects_of(2)[0].area == 14);  // width times height where the file says none
  CHECK(set.objects_of(2)[0].box == detection::Box{1, 2, 4.5, 6});
  CHECK(load_picture(set, 0)->w == 50);
  CHECK(picture_ids(set) == std::vector<std::int64_t>{10, 15, 20});
  const auto truths = coco_truths(set);
  REQUIRE(truths.size() == 3);
  CHECK(truths[0].image == 10);
  CHECK(truths[0].category == 90);
  CHECK(truths[0].crowd);
  CHECK(truths[0].area == 120.5);
  CHECK(truths[0].id == 7);
  CHECK(truths[2].image == 20);
  CHECK(numbers(truths[2].box) == std::array{1.0, 2.0, 3.5, 4.0});
  CHECK(set.findings.size() == 0);
}

TEST_CASE("annotations may come before pictures, numbers may be written in any way") {
  CocoFiles files;
  files.picture(1, "a.png");
  const auto set = files.read(
      R"({"annotations": [{"bbox": [1e0, 2.0, 3, 4E0], "iscrowd": false, "category_id": 1.0, "image_id": 1, "id": 0}],
          "categories": [{"id": 1, "name": "caf\u00e9"}], "images": [)" +
      files.images + "]}");
  REQUIRE(set.boxes.size() == 1);
  CHECK(numbers(set.boxes[0]) == std::array{1.0, 2.0, 3.0, 4.0});
  CHECK(set.annotation_ids == std::vector<std::int64_t>{0});
  CHECK(set.class_names[0] == "café");
}

TEST_CASE("boxes that make no sense") {
  const auto with = [](const std::string& box, const std::string& rest, std::initializer_list<std::string> parts) {
    Good files;
    files.box(6, 10, box, rest);
    check_wrong(files, DetectionFault::wrong_record, parts);
  };
  const std::string cat = "\"category_id\": 3";
  with("[1, NaN, 2, 3]", cat, {"annotations[1]", "bbox is [1, nan, 2, 3], expected x, y, width, height in pixels"});
  with("[1, 2, Infinity, 3]", cat, {"bbox is [1, 2, inf, 3]"});
  with("[1, 2, -3, 3]", cat, {"bbox is [1, 2, -3, 3]", "the last two 0 or more"});
  with("[1, 2, 3e20, 3]", cat, {"bbox is [1, 2, 3e+20, 3]"});
  with("[1, 2, 3e999, 3]", cat, {"annotations[1].bbox[2]", "a number that a double can hold, found '3e999'"});
  with("[1, 2, 3]", cat, {"bbox is [1, 2, 3, 0] of 3 numbers"});
  with("[1, 2, 3, 4, 5]", cat, {"of 5 numbers"});
  with("[1, \"2\", 3, 4]", cat, {"annotations[1].bbox[1]", "expected a number, found"});
  with("\"1 2 3 4\"", cat, {"annotations[1].bbox", "it is a text, expected an array of four numbers"});
  with("[1, 2, 3, 4]", cat + ", \"bbox\": [1, 2, 3, 4]", {"annotations[1].bbox", "twice"});
  with("[1, 2, 3, 4]", cat + ", \"area\": -1", {"area is -1, expected 0 or more"});
  with("[1, 2, 3, 4]", cat + ", \"area\": NaN", {"area is nan"});
  with("[1, 2, 3, 4]", cat + ", \"iscrowd\": 2", {"iscrowd is 2, expected 0 or 1"});
  with("[1, 2, 3, 4]", "\"category_id\": \"3\"", {"annotations[1].category_id", "expected a number, found '\"3\"'"});
  with("[1, 2, 3, 4]", "\"category_id\": 3.5", {"expected a whole number of at most 53 bits, found '3.5'"});
  with("[1, 2, 3, 4]", "", {"it has no \"category_id\"", "byte "});
  with("[1, 2, 3, 4]", "\"category_id\": 99999999999999999999", {"expected a whole number"});
}

TEST_CASE("records that are no records, and records that do not fit together") {
  const auto wrong = DetectionFault::wrong_record;
  {
    Good files;
    files.annotation("17");
    check_wrong(files, wrong, {"annotations[1]", "it is a number, expected an object"});
  }
  {
    Good files;
    files.box(6, 11, "[1, 2, 3, 4]");
    check_wrong(files, DetectionFault::unknown_picture, {"annotations[1] (id 6): image_id is 11, which no image has"});
  }
  {
    Good files;
    files.box(6, 10, "[1, 2, 3, 4]", "\"category_id\": 4");
    check_wrong(files, DetectionFault::unknown_category, {"category_id is 4, which none of the 2 categories has"});
  }
  {
    Good files;
    files.box(5, 10, "[1, 2, 3, 4]");
    check_wrong(files, DetectionFault::duplicate, {"annotations[1]: id 5 is that of annotations[0], too"});
  }
  {
    Good files;
    files.picture(20, "c.png");
    check_wrong(files, DetectionFault::duplicate, {"images[2]: id 20 is that of images[0], too"});
  }
  {
    Good files;
    files.categories += R"(, {"id": 3, "name": "cow"})";
    check_wrong(files, DetectionFault::duplicate, {"categories[2]: id 3 is that of categories[0], too"});
  }
  {
    Good files;
    files.categories += R"(, {"id": 4, "name": null})";
    check_wrong(files, wrong, {"categories[2].name", "expected a text, found 'null'"});
  }
  for (const auto& [record, part] : std::initializer_list<std::pair<const char*, const char*>>{
           {R"({"id": 30, "file_name": "c.png", "width": 0, "height": 5})", "it has 0 × 5 pixels"},
           {R"({"id": 30, "file_name": "c.png", "width": 5, "height": 100000000})", "expected 1 to 1000000"},
           {R"({"id": 30, "file_name": "c.png", "width": 5})", "it has no \"height\""},
           {R"({"id": 30, "file_name": "", "width": 5, "height": 5})", "expected the name of a file"},
           {R"({"id": 30, "file_name": "a\u0000b", "width": 5, "height": 5})", "file_name is 'a?b'"},
           {R"({"id": 30, "file_name": 5, "width": 5, "height": 5})", "images[2].file_name"}}) {
    Good files;
    files.image(record);
    files.box(6, 30, "[1, 2, 3, 4]");  // it is not told, too, that its picture is missing
    check_wrong(files, wrong, {"images[2]", part});
  }
  {
    Good files;
    files.image("{\"id\": 30, \"width\": 5, \"height\": 5, \"file_name\": \"" + std::string(5000, 'n') + "\"}");
    check_wrong(files, wrong, {"expected a text of at most 4096 bytes, found 'nnn"});
  }
}

TEST_CASE("files that are not what they should be stop reading either way") {
  Good files;
  const std::string good = files.text();
  const auto error = [&](const std::string& json) {
    const std::string strict = error_of([&] { files.read(json); });
    CHECK(error_of([&] { files.read(json, {.keep_going = true}); }) == strict);
    return strict;
  };
  CHECK(has(error(good.substr(0, good.find("3.5") + 2)),
            "boxes.json ends at byte " + std::to_string(good.find("3.5") + 2) +
                ", in the middle of annotations[0].bbox[2]; it was cut short"));
  for (std::size_t n = 0; n < good.size(); n += 7) CHECK(!error(good.substr(0, n)).empty());
  CHECK(has(error("[]"), "holds an array; expected an object with \"images\""));
  CHECK(has(error("{\"images\": 5}"), "(images): expected an array, found '5'"));
  CHECK(has(error("{\"images\": [], \"images\": []}"), "has \"images\" twice"));
  CHECK(has(error("{\"images\": [], \"categories\": []}"), "has no \"annotations\""));
  CHECK(has(error(R"({"images": [], "categories": [], "annotations": []})"), "has no categories"));
  CHECK(has(error(R"({"images": [], "categories": [{"id": 1, "name": "a"}], "annotations": []})"), "has no images"));
  std::string deep = good;
  deep.replace(deep.find("2.5"), 3, std::string(100, '[') + std::string(100, ']'));
  CHECK(has(error(deep), "arrays and objects lie more than 64 deep"));
  std::string latin = good;
  latin.replace(latin.find("b.png"), 1, "\xe9");
  CHECK(has(error(latin), "expected a text in UTF-8, found the byte 0xe9"));
  std::filesystem::remove(files.dir / "a.png");
  CHECK(error(good).empty());  // one missing picture is for the checker and the loader
  std::filesystem::remove(files.dir / "b.png");
  CHECK(has(error(good), "the first 2 are not in " + files.dir.dir().string() + ", such as"));
  CHECK(has(error_of([&] { data::coco_json(files.dir / "no.json", files.dir.dir()); }), "there is no such file"));
  CHECK(has(error_of([&] { data::coco_json(files.dir / "boxes.json", files.dir / "none"); }), "none, is not there"));
  CHECK(has(error_of([&] { data::coco(files.dir.dir(), "val2017"); }),
            "instances_val2017.json is not there. Expected is annotations/instances_val2017.json"));
}

TEST_CASE("damaged files give an error or a set whose parts fit together") {
  Good files;
  files.box(7, 10, "[0, 0, 10, 20]", R"("category_id": 90, "iscrowd": 1, "area": 120.5)");
  const std::string good = files.text();
  constexpr std::string_view bytes = "{}[]\",:\\0123459-+.eEnNtfuIx \x01\xe9";
  const Rng rng(1, Purpose::other);
  int read = 0;
  for (std::uint64_t trial = 0; trial < 250; ++trial) {
    std::string text = good;
    for (std::uint64_t change = 0, most = 1 + rng.below(3, trial); change < most; ++change) {
      const std::uint32_t lane = static_cast<std::uint32_t>(10 * change);
      const auto at = static_cast<std::size_t>(rng.below(text.size(), trial, lane + 1));
      const char c = bytes[rng.below(bytes.size(), trial, lane + 2)];
      switch (rng.below(4, trial, lane + 3)) {
        case 0: text[at] = c; break;
        case 1: text.insert(at, 1, c); break;
        case 2: text.erase(at, 1 + rng.below(5, trial, lane + 4)); break;
        default: text.insert(at, text, at, 1 + rng.below(40, trial, lane + 4));
      }
    }
    CAPTURE(text);
    data::DetectionSet set;
    const std::string strict = error_of([&] { files.read(text); });
    const std::string error = error_of([&] { set = files.read(text, {.keep_going = true}); });
    if (strict.empty()) CHECK(error.empty());
    if (!error.empty()) continue;
    ++read;
    CHECK(error_of([&] { check_consistent(set); }).empty());
    CHECK((set.findings.size() == 0) == strict.empty());
  }
  CHECK(read > 25);
}

TEST_CASE("a million boxes on one picture") {
  {
    Good files;
    for (int i = 0; i < 3; ++i) files.box(100 + i, 10, "[1, 2, 3, 4]");
    const std::string error = error_of([&] { files.read({.most_objects = 2}); });
    CHECK(has(error, "images[1] (id 10): 3 annotations are of it, the limit is 2; correct the record"));
  }
  Good files;
  for (int i = 0; i < 1'000'000; ++i)
    files.annotations += ",{\"bbox\":[1,2,3,4],\"id\":" + std::to_string(i + 6) + ",\"image_id\":10,\"category_id\":3}";
  const auto set = files.read({.keep_going = true});
  CHECK(set.objects_of(0).size() == 10000);
  REQUIRE(set.findings.size() == 1);
  CHECK(set.findings.list()[0].kind == DetectionFault::too_many);
  CHECK(has(set.findings.list()[0].what, "1000000 annotations are of it, the limit is 10000"));
}

TEST_CASE("the list of findings is bounded") {
  Good files;
  for (int i = 0; i < 3000; ++i) files.box(1000 + i, 77, "[1, 2, 3, 4]");
  const auto set = files.read({.keep_going = true});
  CHECK(set.findings.size() == 3000);
  CHECK(set.findings.list().size() == 1000);
  data::DetectionFindings sum;
  sum.add(set.findings), sum.add(set.findings);
  CHECK(sum.size() == 6000);
  CHECK(sum.list().size() == 1000);
}

TEST_CASE("polygons take time, but no memory") {
  Good files;
  std::string polygon = "[";
  for (int i = 0; i < 1'000'000; ++i) polygon += "123.25,";
  polygon += "1]";  // 7 MB
  files.annotation("{\"segmentation\": [" + polygon +
                   "], \"id\": 6, \"image_id\": 10, \"category_id\": 3, \"bbox\": [1, 2, 3, 4]}");
  put_bytes(files.dir / "boxes.json", files.text());
  std::size_t objects = 0;
  const auto growth =
      peak_growth([&] { objects = data::coco_json(files.dir / "boxes.json", files.dir.dir()).objects.size(); });
  CHECK(objects == 2);
  if (growth) CHECK(*growth < 4u << 20);
}

TEST_CASE("the COCO subset") {
  const auto dir = real_data("detection/coco");
  if (!dir) return;
  struct Expected {
    const char* split;
    int pictures, annotations, crowds, small, medium, large, categories, empty;
  };
  for (const Expected& e :
       {Expected{"train2017", 68, 715, 5, 345, 256, 114, 80, 1}, Expected{"val2017", 33, 249, 2, 119, 74, 56, 76, 1}}) {
    const auto set = data::coco(*dir, e.split);
    check_consistent(set);
    CHECK(set.name == std::string("COCO ") + e.split);
    CHECK(set.size() == e.pictures);
    CHECK(set.objects.size() == static_cast<std::size_t>(e.annotations));
    CHECK(set.classes() == 80);
    CHECK(set.category_ids.front() == 1);
    CHECK(set.category_ids.back() == 90);
    CHECK(set.class_names.back() == "toothbrush");
    const auto count = [&](auto&& what) { return std::count_if(set.objects.begin(), set.objects.end(), what); };
    CHECK(count([](const auto& o) { return o.crowd; }) == e.crowds);
    CHECK(count([](const auto& o) { return o.area < 1024; }) == e.small);
    CHECK(count([](const auto& o) { return o.area >= 1024 && o.area < 9216; }) == e.medium);
    CHECK(count([](const auto& o) { return o.area >= 9216; }) == e.large);
    std::vector<char> seen(80);
    int empty = 0;
    for (const auto& o : set.objects) seen[static_cast<std::size_t>(o.label)] = 1;
    for (int i = 0; i < set.size(); ++i) empty += set.objects_of(i).empty();
    CHECK(std::count(seen.begin(), seen.end(), 1) == e.categories);
    CHECK(empty == e.empty);
  }
}

TEST_CASE("blood cells") {
  const auto dir = real_data("detection/bccd");
  if (!dir) return;
  for (const auto& [split, pictures, counts] :
       {std::tuple{"train", 205, std::array{2381, 214, 209}}, std::tuple{"val", 87, std::array{967, 87, 83}},
        std::tuple{"test", 57, std::array{637, 57, 61}}}) {
    const auto set =
        data::coco_json(*dir / "annotations" / ("instances_" + std::string(split) + ".json"), *dir / "images");
    CHECK(set.size() == pictures);
    CHECK(set.class_names == std::vector<std::string>{"RBC", "WBC", "Platelets"});
    std::array<int, 3> found{};
    for (const auto& o : set.objects) ++found[static_cast<std::size_t>(o.label)];
    CHECK(found == counts);
  }
}
