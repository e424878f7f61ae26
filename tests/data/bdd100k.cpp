#include "moecnn/data/bdd100k.hpp"

#include <doctest/doctest.h>

#include "../io/scratch.hpp"
#include "pictures.hpp"
#include "real_data.hpp"

using namespace moecnn;
using data::BddLabels;
using data::Split;

namespace {

void put(const std::filesystem::path& path, const std::string& bytes) {
  std::filesystem::create_directories(path.parent_path());
  put_bytes(path, bytes);
}

}  // namespace

TEST_CASE("both releases are found, and their absence told") {
  const std::string image = pictures::jpeg(2, 2, pictures::ramp(2, 2)),
                    map = pictures::label_png(2, 2, {0, 18, 255, 3});
  Scratch dir;
  const auto error = [&] { return error_of([&] { data::bdd100k(dir.dir(), Split::val); }); };
  CHECK(has(error(), "BDD100K val: there is no folder of images in " + dir.dir().string()));
  put(dir / "seg/images/val/a.jpg", image);
  CHECK(has(error(), "no folder of label maps"));
  CHECK(has(error(), "labels/sem_seg/masks/SPLIT/ID.png, or seg/images"));
  put(dir / "seg/labels/val/a_train_id.png", map);
  const auto older = data::bdd100k(dir.dir(), Split::val);
  CHECK(older.pairs[0].labels == dir / "seg/labels/val/a_train_id.png");
  CHECK(older.pairs[0].id == "a");
  CHECK(load_sample(older, 0)->labels.values == std::vector<std::uint8_t>{0, 18, 255, 3});

  put(dir / "images/10k/val/a.jpg", image);
  put(dir / "labels/sem_seg/masks/val/a.png", map);
  const auto newer = data::bdd100k(dir.dir(), Split::val);
  CHECK(newer.pairs[0].image == dir / "images/10k/val/a.jpg");
  CHECK(newer.pairs[0].labels == dir / "labels/sem_seg/masks/val/a.png");
  const auto mixed = data::bdd100k(dir.dir(), Split::val, BddLabels::train_id);
  CHECK(mixed.pairs[0].labels == older.pairs[0].labels);
  CHECK(has(error_of([&] { data::bdd100k(dir.dir(), Split::val, BddLabels::colormaps); }), "no folder of label maps"));
  CHECK_NOTHROW(check_consistent(newer));
  CHECK(newer.classes() == 19);
}

TEST_CASE("the label maps of genuine BDD100K pictures agree with each other") {
  const auto dir = real_data("bdd100k");
  if (!dir) return;
  int pairs = 0;
  for (Split split : {Split::train, Split::val}) {
    const auto masks = data::bdd100k(*dir, split), older = data::bdd100k(*dir, split, BddLabels::train_id),
               colours = data::bdd100k(*dir, split, BddLabels::colormaps);
    REQUIRE(masks.size() == older.size());
    CHECK(masks.unpaired.empty());
    for (int i = 0; i < masks.size(); ++i, ++pairs) {
      const auto a = load_sample(masks, i);
      CHECK(a->image.w == 1280);
      CHECK(a->image.h == 720);
      CHECK(a->labels.values == load_sample(colours, i)->labels.values);
      const auto b = load_sample(older, i);
      long long equal = 0;
      for (std::size_t p = 0; p < a->labels.values.size(); ++p) equal += a->labels.values[p] == b->labels.values[p];
      const double share = static_cast<double>(equal) / (1280 * 720);
      CHECK(share >= 0.99);
      CHECK(share < 1);
    }
  }
  CHECK(pairs == 20);
}
