#include "moecnn/data/image_folder.hpp"

#include <doctest/doctest.h>

#include "../io/scratch.hpp"
#include "pictures.hpp"

using namespace moecnn;

namespace {

void put_picture(const std::filesystem::path& path) {
  std::filesystem::create_directories(path.parent_path());
  put_bytes(path, pictures::png(2, 3, std::vector<std::uint8_t>(18, 7)));
}

}  // namespace

TEST_CASE("image folder: classes by name, pictures of any ending and depth, other files passed over") {
  Scratch dir;
  for (const char* file : {"cats/b.JPG", "cats/a.png", "ants/deep/er/x.jpeg", ".git/y.png", "cats/z.PNG"})
    put_picture(dir / file);
  put_bytes(dir / "cats" / "notes.txt", "no picture");
  put_bytes(dir / "readme.md", "no folder");
  const auto set = data::image_folder(dir.dir());
  CHECK(set.class_names == std::vector<std::string>{"ants", "cats"});
  REQUIRE(set.size() == 4);
  CHECK(set.files[0].path.filename() == "x.jpeg");
  CHECK(set.files[0].label == 0);
  CHECK(set.files[1].path.filename() == "a.png");
  CHECK(set.files[1].label == 1);
  CHECK(set.files[3].path.filename() == "z.PNG");
}

TEST_CASE("image folder: what is wrong is named") {
  Scratch dir;
  const auto error = [&](const std::filesystem::path& p) { return error_of([&] { data::image_folder(p); }); };
  CHECK(has(error(dir / "nowhere"), "nowhere is not there; give a folder that holds one folder of pictures per class"));
  put_bytes(dir / "file", "x");
  CHECK(has(error(dir / "file"), "file is no folder"));
  CHECK(has(error(dir.dir()), "holds no folders; expected one per class"));
  put_picture(dir / "a" / "1.png");
  std::filesystem::create_directories(dir / "b");
  put_bytes(dir / "b" / "x.txt", "");
  CHECK(has(error(dir.dir()), "b holds no PNG or JPEG file"));
  std::filesystem::create_directory_symlink(dir.dir(), dir / "b" / "up");
  const auto text = error(dir.dir());
  CHECK((has(text, "is it a link to a folder above?") || has(text, "cannot list")));
}

TEST_CASE("image folder: a part for validation, class by class, and other classes refused") {
  Scratch dir;
  for (int i = 0; i < 10; ++i)
    for (const char* c : {"a", "b"}) put_picture(dir / c / (std::to_string(i) + ".png"));
  const auto set = data::image_folder(dir.dir());
  const auto [train, validation] = data::split_off(set, 0.2, 3);
  CHECK(train.size() == 16);
  REQUIRE(validation.size() == 4);
  CHECK(validation.files[1].label == 0);
  CHECK(validation.files[2].label == 1);
  CHECK(data::split_off(set, 0.2, 3).validation.files[0].path == validation.files[0].path);
  CHECK_NOTHROW(data::check_same_classes(train, validation));
  auto other = set;
  other.class_names[1] = "c";
  CHECK(has(error_of([&] { data::check_same_classes(set, other); }), "class 1 is b in the one and c in the other"));
  other.class_names.pop_back();
  CHECK(has(error_of([&] { data::check_same_classes(set, other); }), "class 1 is b in the one and none in the other"));
}
