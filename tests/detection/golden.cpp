// Anchors, targets, suppression and detections against torchvision and yhenon/pytorch-retinanet, see
// tests/golden/golden_detection.py.
#include <doctest/doctest.h>

#include <bit>
#include <fstream>

#include "moecnn/core/rng.hpp"
#include "moecnn/detection/decode.hpp"
#include "moecnn/detection/matcher.hpp"
#include "moecnn/io/json.hpp"

using namespace moecnn;
using namespace moecnn::detection;
using io::Json;

namespace {

Json golden(std::string_view part) {
  const std::string path = "tests/golden/detection.json";
  std::ifstream in(path);
  REQUIRE(in.good());
  return Json::parse(std::string(std::istreambuf_iterator<char>(in), {}), path)[part];
}

Size2 size_of(const Json& j) { return {static_cast<int>(j[0].whole()), static_cast<int>(j[1].whole())}; }

/// See golden_detection.py.
class Fingerprint {
 public:
  void add(float x) { add(std::bit_cast<std::uint32_t>(x)); }
  void add(std::uint32_t bits) { sum_ += bits * (2 * count_++ + 1); }
  void add(const Box& b) { add(b.x1), add(b.y1), add(b.x2), add(b.y2); }
  std::int64_t value() const { return static_cast<std::int64_t>(sum_ & ~(std::uint64_t{1} << 63)); }

 private:
  std::uint64_t sum_ = 0, count_ = 0;
};

std::int64_t fingerprint(std::span<const Box> boxes) {
  Fingerprint print;
  for (const Box& b : boxes) print.add(b);
  return print.value();
}

std::vector<double> uniform(std::string_view name, std::size_t count) {
  const Rng rng(0, Purpose::other, hash_name(name));
  std::vector<double> u(count);
  for (std::size_t i = 0; i < count; ++i) u[i] = rng.uniform(i);
  return u;
}

std::vector<Object> objects(Size2 image, int count = 40) {
  const auto u = uniform("boxes", 4 * static_cast<std::size_t>(count));
  std::vector<Object> all;
  for (int i = 0; i < count; ++i) {
    const double *r = &u[4 * static_cast<std::size_t>(i)], side = 5 + 160 * (r[0] * r[0] * r[0]);
    const double x = r[2] * (image.w - 20), y = r[3] * (image.h - 20);
    Box b{static_cast<float>(x), static_cast<float>(y), static_cast<float>(x + side),
          static_cast<float>(y + side * (0.5 + 1.5 * r[1]))};
    if (i >= count / 2) b = {std::nearbyint(b.x1), std::nearbyint(b.y1), std::nearbyint(b.x2), std::nearbyint(b.y2)};
    all.push_back({.box = b, .label = i % 7});
  }
  return all;
}

/// Rows of label, score and box. The file has five digits; boxes of some hundred pixels have as many in float.
void check_rows(const std::vector<Detection>& found, const Json& rows) {
  REQUIRE(found.size() == rows.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    CAPTURE(i);
    const Detection& d = found[i];
    CHECK(d.label == rows[i][0].number());
    CHECK(std::abs(d.score - rows[i][1].number()) < 1e-5);
    CHECK(std::abs(d.box.x1 - rows[i][2].number()) < 1e-4);
    CHECK(std::abs(d.box.y1 - rows[i][3].number()) < 1e-4);
    CHECK(std::abs(d.box.x2 - rows[i][4].number()) < 1e-4);
    CHECK(std::abs(d.box.y2 - rows[i][5].number()) < 1e-4);
  }
}

}  // namespace

TEST_CASE("anchors are those of both programs, bit by bit") {
  for (const Json& j : golden("anchors").elements()) {
    const Size2 image = size_of(j["image"]);
    CAPTURE(image.h);
    CHECK(fingerprint(Anchors(image).boxes()) == j["yhenon"].whole());
    CHECK(fingerprint(Anchors(image, AnchorOpts::torchvision()).boxes()) == j["torchvision"].whole());
  }
}

TEST_CASE("targets are those of both programs") {
  const Json j = golden("targets");
  const Size2 image = size_of(j["image"]);
  const auto list = objects(image);
  Fingerprint boxes;
  for (const Object& o : list) boxes.add(o.box);
  REQUIRE(boxes.value() == j["objects"].whole());
  for (const bool torchvision : {false, true}) {
    const Json expected = j[torchvision ? "torchvision" : "yhenon"];
    const Anchors anchors(image, torchvision ? AnchorOpts::torchvision() : AnchorOpts::yhenon());
    std::vector<std::int32_t> classes(anchors.size());
    std::vector<float> deltas(4 * anchors.size());
    Matcher(torchvision ? MatchOpts::torchvision() : MatchOpts::yhenon()).match(anchors, list, classes, deltas);
    Fingerprint print;
    std::size_t positive = 0;
    for (std::size_t i = 0; i < classes.size(); ++i) {
      print.add(static_cast<std::uint32_t>(classes[i]));
      if (classes[i] < 0) continue;
      if (positive % 5 == 0)
        for (std::size_t d = 0; d < 4; ++d)
          CHECK(deltas[4 * i + d] == doctest::Approx(expected["deltas"][positive / 5][d].number()).epsilon(1e-5));
      ++positive;
    }
    CHECK(positive == static_cast<std::size_t>(expected["positive"].whole()));
    CHECK(std::count(classes.begin(), classes.end(), ignored_anchor) == expected["ignored"].whole());
    CHECK(print.value() == expected["classes"].whole());
  }
}

TEST_CASE("suppression keeps the boxes that torchvision keeps, in its order") {
  const auto u = uniform("nms", 1500);
  std::vector<Detection> all;
  for (std::size_t i = 0; i < 300; ++i) {
    const double *r = &u[5 * i], x = 60 * r[0], y = 60 * r[1];
    const auto corner = [&](double v) { return static_cast<float>(i % 4 == 0 ? std::nearbyint(v) : v); };
    all.push_back({.box = {corner(x), corner(y), corner(x + 20 + 30 * r[2]), corner(y + 20 + 30 * r[3])},
                   .score = static_cast<float>(i % 3 == 0 ? std::nearbyint(10 * r[4]) / 10 : r[4])});
  }
  for (const auto& one : golden("nms").members()) {
    const auto& threshold = one.name;
    const auto& kept = one.value;
    CAPTURE(threshold);
    const auto mine = nms(all, std::stof(threshold));
    REQUIRE(mine.size() == kept.size());
    for (std::size_t i = 0; i < mine.size(); ++i) CHECK(mine[i] == kept[i].whole());
  }
}

TEST_CASE("detections are those of both programs, in their order") {
  const Json j = golden("detections");
  const Size2 image = size_of(j["image"]);
  const int classes = static_cast<int>(j["classes"].whole());
  for (const bool torchvision : {false, true}) {
    const Anchors anchors(image, torchvision ? AnchorOpts::torchvision() : AnchorOpts::yhenon());
    std::vector<float> scores, deltas;
    for (double u : uniform("scores", anchors.size() * classes)) {
      for (int i = 0; i < 4 && !torchvision; ++i) u *= u;
      scores.push_back(static_cast<float>(torchvision ? 16 * u - 15 : 0.3 * u));
    }
    for (const double u : uniform("deltas", anchors.size() * 4)) deltas.push_back(static_cast<float>(2 * u - 1));
    std::vector<LevelMaps> maps;
    for (const auto& level : anchors.levels())
      maps.push_back({&scores[level.first * classes], &deltas[level.first * 4]});
    auto opts = torchvision ? DecodeOpts::torchvision(classes) : DecodeOpts::yhenon(classes);
    opts.order = MapOrder::cells;
    if (torchvision) opts.best_per_level = 60, opts.limit = 70;
    const Size2 part = torchvision ? size_of(j["torchvision_image"]) : image;
    check_rows(decode(anchors, maps, part, opts), j[torchvision ? "torchvision" : "yhenon"]);
  }
}
