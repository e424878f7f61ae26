#include "moecnn/detection/coco_metric.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <set>

#include "io/scratch.hpp"
#include "moecnn/core/rng.hpp"
#include "moecnn/io/json.hpp"

using namespace moecnn;
using namespace moecnn::detection;
using io::Json;

namespace {

struct Case {
  std::vector<std::int64_t> images, categories;
  std::vector<CocoTruth> truths;
  std::vector<CocoDetection> detections;
  CocoMetricOpts opts;

  explicit Case(const Json& j) {
    for (const Json& id : j["images"].elements()) images.push_back(id.whole());
    for (const Json& id : j["categories"].elements()) categories.push_back(id.whole());
    for (const Json& t : j["truths"].elements())
      truths.push_back({t[0].whole(), t[1].whole(), box(t), t[6].number(), t[7].whole() != 0, t[8].whole()});
    for (const Json& d : j["detections"].elements())
      detections.push_back({d[0].whole(), d[1].whole(), box(d), d[6].number()});
    if (const Json limits = j["limits"]; limits.is_array())
      for (std::size_t m = 0; m < 3; ++m) opts.limits[m] = static_cast<int>(limits[m].whole());
  }
  static CocoBox box(const Json& row) { return {row[2].number(), row[3].number(), row[4].number(), row[5].number()}; }
  CocoResult result() const { return coco_metric(images, categories, truths, detections, opts); }
};

/// pycocotools' arrays: precision and scores [threshold][recall][category][area][limit], recall without recalls.
struct Arrays {
  std::vector<double> precision, recall, scores;

  explicit Arrays(const CocoResult& r) {
    const int thresholds = static_cast<int>(r.opts().ious.size()), places = static_cast<int>(r.opts().recalls.size());
    const int categories = static_cast<int>(r.categories().size());
    for (int t = 0; t < thresholds; ++t) {
      for (int i = 0; i < places; ++i)
        for (int k = 0; k < categories; ++k)
          for (int a = 0; a < 4; ++a)
            for (int m = 0; m < 3; ++m)
              precision.push_back(r.precision(t, k, a, m)[i]), scores.push_back(r.scores(t, k, a, m)[i]);
      for (int k = 0; k < categories; ++k)
        for (int a = 0; a < 4; ++a)
          for (int m = 0; m < 3; ++m) recall.push_back(r.recall(t, k, a, m));
    }
  }
};

/// See golden_coco_metric.py.
double check_sum(const std::vector<double>& values) {
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i)
    sum += values[i] * static_cast<double>(i * 2654435761u % 65536) / 65536;
  return sum;
}

Case simple() {
  return Case(Json::parse(R"({"images":[4,2],"categories":[7],"truths":[[2,7,10,10,40,40,1600,0,1]],
    "detections":[[2,7,10,10,40,36,0.9],[4,7,0,0,10,10,0.95],[2,7,10,10,40,20,0.3]]})",
                          "a case"));
}

}  // namespace

TEST_CASE("pycocotools' numbers for small cases of all kinds") {
  const std::string path = "tests/golden/coco_metric.json";
  std::ifstream in(path);
  REQUIRE(in.good());
  const Json golden = Json::parse(std::string(std::istreambuf_iterator<char>(in), {}), path);
  REQUIRE(golden["cases"].size() >= 30);
  for (const Json& j : golden["cases"].elements()) {
    CAPTURE(j["name"].text());
    const CocoResult r = Case(j).result();
    const auto stats = r.stats();
    for (std::size_t i = 0; i < 12; ++i) {
      CAPTURE(coco_stat_names[i]);
      CHECK(std::abs(stats[i] - j["stats"][i].number()) < 1e-12);
    }
    const Arrays arrays(r);
    CHECK(std::abs(check_sum(arrays.precision) - j["precision_sum"].number()) < 1e-9);
    CHECK(std::abs(check_sum(arrays.recall) - j["recall_sum"].number()) < 1e-9);
    CHECK(std::abs(check_sum(arrays.scores) - j["scores_sum"].number()) < 1e-9);
  }
}

TEST_CASE("a case by hand") {
  const CocoResult r = simple().result();
  // Behind a false alarm with a higher score, an overlap of 0.9 is right at nine of ten thresholds (0.9 among them, which
  // is a little less than 0.9 in their list); the detection of half the height is right at 0.5 only, but comes too late.
  CHECK(r.ap() == doctest::Approx(0.9 * 0.5));
  CHECK(r.ap({.iou = 0.5}) == 0.5);
  CHECK(r.ap({.iou = 0.95}) == 0);
  CHECK(r.ap({.iou = 0.9, .category = 0}) == 0.5);  // the list has 0.8999999999999999
  CHECK(r.ap({.iou = 0.88}) == -1);
  CHECK(r.ap({.area = small_area}) == -1);
  CHECK(r.ap({.area = medium_area}) == doctest::Approx(0.9));  // the false alarm is small, so it does not count here
  CHECK(r.ar({.limit = 0}) == doctest::Approx(0.9));
  CHECK(r.truths(0, any_area) == 1);
  CHECK(r.truths(0, small_area) == 0);
  CHECK(r.categories() == std::vector<std::int64_t>{7});
  CHECK(r.precision(0, 0, any_area, 2).size() == 101);
  CHECK(r.precision(0, 0, any_area, 2)[100] == 0.5);
  CHECK(r.scores(0, 0, any_area, 2)[100] == 0.9);
  CHECK(r.scores(0, 0, any_area, 2)[0] == 0.95);
  CHECK(r.recall(9, 0, any_area, 2) == 0);
}

TEST_CASE("thresholds and recalls are numpy's, to the last bit") {
  const CocoMetricOpts opts;
  CHECK(opts.ious[5] == 0.75);
  CHECK(opts.ious[8] == 0.8999999999999999);
  CHECK(opts.ious[9] == 0.95);
  for (int i = 0; i <= 100; ++i)
    CHECK((opts.recalls[i] == i / 100.0) == (std::set<int>{35, 41, 47, 57, 69, 70, 82, 83, 94, 95}.count(i) == 0));
}

TEST_CASE("one thread or several, sorted by image or not: the same result") {
  const Rng rng(4, Purpose::other);
  std::vector<std::int64_t> images, categories{1, 5, 9};
  std::vector<CocoTruth> truths;
  std::vector<CocoDetection> found;
  for (int i = 0; i < 200; ++i) {
    images.push_back(i);
    for (int n = 0; n < 20; ++n) {
      const auto u = [&](int lane) { return rng.uniform(20 * i + n, lane); };
      const CocoBox box{50 * u(0), 50 * u(1), 100 * u(2), 100 * u(3)};
      const auto category = categories[static_cast<std::size_t>(3 * u(4))];
      if (n % 3 == 0)
        truths.push_back({i, category, box, box.area(), u(5) < 0.1, 1});
      else
        found.push_back({i, category, box, u(6)});
    }
  }
  const Arrays one(coco_metric(images, categories, truths, found));
  std::reverse(images.begin(), images.end());
  categories = {9, 1, 5, 1};
  // No two scores are equal, so any order of the detections gives the same.
  std::stable_sort(found.begin(), found.end(), [](auto& a, auto& b) { return a.box.x < b.box.x; });
#ifdef _OPENMP
  const int threads = omp_get_max_threads();
  omp_set_num_threads(3);
#endif
  const Arrays other(coco_metric(images, categories, truths, found));
#ifdef _OPENMP
  omp_set_num_threads(threads);
#endif
  CHECK(one.precision == other.precision);
  CHECK(one.recall == other.recall);
  CHECK(one.scores == other.scores);
  CHECK(*std::max_element(one.precision.begin(), one.precision.end()) > 0);
}

TEST_CASE("a million annotations on one image") {
  std::vector<CocoTruth> truths(1'000'000, {1, 1, {0, 0, 20, 20}, 400});
  const std::vector<CocoDetection> found{{1, 1, {0, 0, 20, 20}, 0.9}, {1, 1, {0, 0, 20, 19}, 0.8}};
  const std::vector<std::int64_t> one{1};
  const CocoResult r = coco_metric(one, one, truths, found);
  CHECK(r.truths(0, small_area) == 1'000'000);
  CHECK(r.recall(0, 0, any_area, 2) == 2e-6);
}

TEST_CASE("input that cannot be right") {
  const auto error = [](auto&& spoil) {
    Case c = simple();
    spoil(c);
    return error_of([&] { c.result(); });
  };
  CHECK(has(error([](Case& c) { c.truths[0].box.w = NAN; }), "truth 0 of 1 has the box [10, 10, nan, 40]"));
  CHECK(has(error([](Case& c) { c.truths[0].area = NAN; }), "truth 0 of 1 has an area that is no number"));
  CHECK(has(error([](Case& c) { c.detections[1].box.y = INFINITY; }), "detection 1 of 3 has the box [0, inf, 10, 10]"));
  CHECK(has(error([](Case& c) { c.detections[2].score = NAN; }), "detection 2 of 3 has a score that is no number"));
  CHECK(has(error([](Case& c) { c.detections[0].image = 3; }), "about image 3, which is not among the 2 images"));
  CHECK(has(error([](Case& c) { c.truths[0].image = 3; }), "about image 3, which is not among the 2 images"));
  CHECK(has(error([](Case& c) { c.detections[0].category = 8; }), "category 8, which is not among the 1"));
  CHECK(has(error([](Case& c) { c.opts.ious.clear(); }), "0 thresholds"));
  CHECK(has(error([](Case& c) { c.opts.ious.resize(65); }), "65 thresholds"));
  CHECK(has(error([](Case& c) { c.opts.limits = {10, 1, 100}; }), "limits of 10, 1 and 100"));
  CHECK(has(error([](Case& c) { c.opts.recalls = {0.5, 0.1}; }), "must rise"));
  const CocoResult r = simple().result();
  CHECK(has(error_of([&] { r.precision(10, 0, 0, 0); }), "position 10 in a table of 10"));
  CHECK(has(error_of([&] { r.truths(-1, 0); }), "position -1 in a table of 1"));
  CHECK(coco_metric({}, {}, {}, {}).ap() == -1);
  CHECK(simple().result().ap() > 0);
}

// For `golden_coco_metric.py compare`: writes, for all cases of that file, the twelve numbers and all arrays beside it.
TEST_CASE("cases of the file that MOECNN_COCO_CASES names") {
  const char* path = std::getenv("MOECNN_COCO_CASES");
  if (!path) return;
  std::ifstream in(path);
  const Json cases = Json::parse(std::string(std::istreambuf_iterator<char>(in), {}), path);
  std::ofstream out(std::filesystem::path(path).replace_extension(".f64"), std::ios::binary);
  const auto write = [&](const auto& numbers) {
    out.write(reinterpret_cast<const char*>(numbers.data()), static_cast<long>(numbers.size() * sizeof(double)));
  };
  for (const Json& j : cases["cases"].elements()) {
    const CocoResult r = Case(j).result();
    const Arrays arrays(r);
    write(r.stats()), write(arrays.precision), write(arrays.recall), write(arrays.scores);
  }
}
