#include "moecnn/data/check_segmentation.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "../io/scratch.hpp"
#include "moecnn/data/bdd100k.hpp"
#include "moecnn/data/camvid.hpp"
#include "moecnn/data/synthetic_street.hpp"
#include "pictures.hpp"
#include "real_data.hpp"

using namespace moecnn;
using data::FindingKind;
using data::Split;

TEST_CASE("all that is wrong is found, in order, with any number of threads") {
  Scratch dir;
  namespace fs = std::filesystem;
  fs::create_directories(dir / "val"), fs::create_directories(dir / "valannot");
  const auto image = [&](const char* name, int h, int w) {
    put_bytes(dir / ("val/" + std::string(name) + ".png"), pictures::png(h, w, pictures::pattern(3 * h * w)));
  };
  const auto labels = [&](const char* name, int h, int w, std::vector<std::uint8_t> values) {
    values.resize(h * w, 3);
    put_bytes(dir / ("valannot/" + std::string(name) + ".png"), pictures::label_png(h, w, values));
  };
  image("a", 2, 3), labels("a", 2, 3, {0, 11, 255});
  image("b", 2, 3), labels("b", 3, 2, {});
  image("c", 2, 3), labels("c", 2, 3, {77, 12, 77, 77});
  image("d", 4, 5);
  labels("e", 2, 3, {});
  image("f", 2, 3), labels("f", 2, 3, {});
  put_bytes(dir / "val/f.png", bytes_of(dir / "val/f.png").substr(0, 50));
  image("g", 2, 3), put_bytes(dir / "valannot/g.png", pictures::png(2, 3, pictures::pattern(18)));
  put_bytes(dir / "val/h.jpg", ""), put_bytes(dir / "valannot/h.png", "text");

  const auto set = data::camvid(dir.dir(), Split::val);
  std::string first;
  for (int threads : {1, 2, 5}) {
    const auto result = check_segmentation(set, threads);
    CHECK(!result.ok());
    CHECK(result.pairs == 6);
    REQUIRE(result.findings.size() == 8);
    const auto is = [&](int i, FindingKind kind, const std::string& part) {
      CAPTURE(result.findings[i].what);
      CHECK(result.findings[i].kind == kind);
      CHECK(has(result.findings[i].what, part));
    };
    is(0, FindingKind::missing_partner, "val/d.png has no partner " + (dir / "valannot/d.png").string());
    is(1, FindingKind::missing_partner, "valannot/e.png has no partner " + (dir / "val/e.png").string());
    is(2, FindingKind::sizes_differ, "b.png has 3 × 2 pixels, but its label map");
    is(3, FindingKind::unknown_values,
       "valannot/c.png has values that mean nothing here: 12 (1 pixels), 77 (3 pixels)");
    is(4, FindingKind::unreadable, "val/f.png cannot be decoded as PNG");
    is(5, FindingKind::unreadable, "valannot/g.png holds colours");
    is(6, FindingKind::unreadable, "val/h.jpg is empty");
    is(7, FindingKind::unreadable, "valannot/h.png is no PNG");
    CHECK(result.class_pixels[0] == 1);
    CHECK(result.class_pixels[3] == 3 + 6 + 2 + 6);
    CHECK(result.ignored_pixels == 2);
    CHECK(result.unknown_pixels == 4);
    CHECK(result.pixels() == 24);
    CHECK(result.sizes == std::map<std::pair<int, int>, int>{{{3, 2}, 4}});
    if (first.empty()) first = text(result);
    CHECK(text(result) == first);
  }
  CHECK(has(first, "CamVid val: 6 pairs, 8 findings\n  3 × 2: 4 images\n"));
  CHECK(has(first, "  road                         17 pixels  70.83 %\n"));
  CHECK(has(first, "  unknown                       4 pixels"));
  CHECK(std::count(first.begin(), first.end(), '!') == 8);
}

TEST_CASE("scenes in memory are in order, until they are not") {
  auto set = data::synthetic_segmentation(4, 20, 30, 1, 5);
  const auto good = check_segmentation(set);
  CHECK(good.ok());
  CHECK(good.pixels() == 4 * 600);
  CHECK(has(text(good), "4 pairs, nothing wrong"));
  set.samples[2].labels.values[17] = 5;
  set.samples[3].labels.h = 10;
  const auto bad = check_segmentation(set);
  REQUIRE(bad.findings.size() == 2);
  CHECK(has(bad.findings[0].what, "scene 2 has values that mean nothing here: 5 (1 pixels)"));
  CHECK(bad.findings[1].kind == FindingKind::sizes_differ);
  CHECK(has(error_of([&] { check_segmentation(set, 0); }), "threads is 0"));
}

TEST_CASE("CamVid is whole and has the known shares of classes") {
  const auto dir = real_data("camvid");
  if (!dir) return;
  const auto result = check_segmentation(data::camvid(*dir, Split::train));
  CHECK(result.ok());
  CHECK(result.sizes == std::map<std::pair<int, int>, int>{{{480, 360}, 367}});
  const double share[] = {16.85, 23.26, 0.98, 31.66, 4.49, 9.72, 1.17, 1.13, 5.87, 0.64, 0.29};
  const auto percent = [&](long long n) { return 100.0 * static_cast<double>(n) / (367.0 * 480 * 360); };
  for (int c = 0; c < 11; ++c) CHECK(std::abs(percent(result.class_pixels[c]) - share[c]) < 0.0051);
  CHECK(std::abs(percent(result.ignored_pixels) - 3.95) < 0.0051);
  CHECK(has(text(result), "  road "));
}

TEST_CASE("genuine BDD100K pictures have nothing wrong") {
  const auto dir = real_data("bdd100k");
  if (!dir) return;
  for (Split split : {Split::train, Split::val}) {
    const auto result = check_segmentation(data::bdd100k(*dir, split));
    CHECK(result.ok());
    CHECK(result.pairs == (split == Split::train ? 16 : 4));
  }
}
