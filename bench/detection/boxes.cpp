/// Host code of object detection: targets of an image of 608 × 1024 pixels, detections from the maps of 80 classes,
/// suppression, and COCO's metric of 5,000 images, each beside its definition written as plain loops. Environment:
///   MOECNN_BENCH_ROUNDS   times each, default 9
///   MOECNN_BENCH_COCO     a folder: the data of the metric are written there as COCO's files, truth.json and results.json,
///                         for bench/pycocotools_bbox.py
#include <catch2/catch.hpp>

#include "detection/objects.hpp"
#include "harness.hpp"
#include "moecnn/detection/coco_metric.hpp"
#include "moecnn/detection/decode.hpp"
#include "moecnn/detection/matcher.hpp"

namespace {

using namespace moecnn;
using namespace moecnn::detection;
using bench::objects, bench::Results, bench::seconds;
using io::Json;

int rounds() { return bench::env_int("MOECNN_BENCH_ROUNDS", 9); }

template <class F>
double median_ms(const F& work) {
  work();
  std::vector<double> times;
  for (int i = 0; i < rounds(); ++i) times.push_back(1e3 * seconds(work));
  return bench::median(times);
}

void match_naively(const Anchors& anchors, const std::vector<Object>& objects, std::vector<std::int32_t>& classes) {
  for (std::size_t i = 0; i < anchors.size(); ++i) {
    float best = 0;
    classes[i] = no_object;
    for (const Object& o : objects)
      if (const float x = iou(anchors[i], o.box); x > best)
        best = x, classes[i] = x >= 0.5f ? o.label : x >= 0.4f ? ignored_anchor : no_object;
  }
}

Results matching() {
  Results all;
  const Size2 image{608, 1024};
  for (const bool torchvision : {false, true})
    for (const int count : {7, 50}) {
      const Anchors anchors(image, torchvision ? AnchorOpts::torchvision() : AnchorOpts::yhenon());
      const auto list = objects(count, image, 1);
      std::vector<std::int32_t> classes(anchors.size());
      std::vector<float> deltas(4 * anchors.size());
      Matcher matcher(torchvision ? MatchOpts::torchvision() : MatchOpts::yhenon());
      const auto name = fmt::format("match/{}/{}_objects", torchvision ? "torchvision" : "yhenon", count);
      all.emplace_back(name, median_ms([&] { matcher.match(anchors, list, classes, deltas); }), "ms");
      if (torchvision) continue;
      const auto mine = classes;
      all.emplace_back(name + "/all_pairs", median_ms([&] { match_naively(anchors, list, classes); }), "ms");
      check(mine == classes, "the matcher differs from all pairs of anchors and objects");
    }
  return all;
}

std::vector<Detection> crowded(int count, int classes) {
  const Rng rng(3, Purpose::other);
  std::vector<Detection> all;
  for (int i = 0; i < count; ++i) {
    const auto u = [&](int lane) { return static_cast<float>(rng.uniform(i, lane)); };
    const std::uint64_t place = 1'000'000 + rng.below(1 + count / 30, i, 4);
    const auto x = static_cast<float>(1000 * rng.uniform(place, 0)) + 20 * u(0);
    const auto y = static_cast<float>(600 * rng.uniform(place, 1)) + 20 * u(1);
    all.push_back({{x, y, x + 40 + 30 * u(2), y + 40 + 30 * u(3)}, static_cast<int>(rng.below(classes, i, 5)), u(6)});
  }
  return all;
}

std::vector<int> nms_naively(const std::vector<Detection>& all, float threshold) {
  std::vector<int> order(all.size()), kept;
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return all[a].label != all[b].label ? all[a].label < all[b].label : all[a].score > all[b].score;
  });
  for (const int i : order)
    if (std::none_of(kept.rbegin(), kept.rend(),
                     [&](int k) { return all[k].label == all[i].label && iou(all[k].box, all[i].box) > threshold; }))
      kept.push_back(i);
  return kept;
}

Results suppression() {
  Results all;
  for (const auto& [count, classes] : {std::pair{1000, 80}, {1000, 1}, {10000, 1}}) {
    const auto boxes = crowded(count, classes);
    const auto name = fmt::format("nms/{}_boxes/{}_classes", count, classes);
    all.emplace_back(name, median_ms([&] { nms(boxes, 0.5f); }), "ms");
    all.emplace_back(name + "/one_by_one", median_ms([&] { nms_naively(boxes, 0.5f); }), "ms");
    check(nms(boxes, 0.5f) == nms_naively(boxes, 0.5f), "nms() differs from box by box");
  }
  const Anchors anchors({608, 1024});
  const Rng rng(2, Purpose::other);
  std::vector<float> scores(anchors.size() * 80, 0.01f), deltas(anchors.size() * 4, 0.1f);
  for (int i = 0; i < 3000; ++i) scores[rng.below(scores.size(), i, 0)] = static_cast<float>(rng.uniform(i, 1));
  std::vector<LevelMaps> maps;
  for (const auto& level : anchors.levels()) maps.push_back({&scores[level.first * 80], &deltas[level.first * 4]});
  all.emplace_back("decode/80_classes",
                   median_ms([&] { decode(anchors, maps, anchors.image(), DecodeOpts::yhenon(80)); }), "ms");
  return all;
}

struct CocoData {
  std::vector<std::int64_t> images, categories;
  std::vector<CocoTruth> truths;
  std::vector<CocoDetection> found;

  /// As many images, objects and results as an evaluation of val2017 has: 7 objects and `per_image` results each, of
  /// which a third lie near an object. Rounded to two and four digits, as such files are.
  explicit CocoData(int count, int per_image) {
    const Rng rng(5, Purpose::other);
    const auto digits = [](double x, double unit) { return std::round(x * unit) / unit; };
    for (int c = 0; c < 80; ++c) categories.push_back(c + 1);
    for (int i = 0; i < count; ++i) {
      images.push_back(1 + i);
      const auto list = objects(7, {480, 640}, static_cast<std::uint64_t>(i));
      const auto category = [&](std::uint64_t at) {  // the first one is as frequent as people are
        const double u = rng.uniform(at, 9);
        return categories[static_cast<std::size_t>(80 * u * u * u)];
      };
      for (std::size_t o = 0; o < list.size(); ++o) {
        const CocoBox b = CocoBox::from(list[o].box);
        truths.push_back({1 + i,
                          category(100ull * i + o),
                          {digits(b.x, 100), digits(b.y, 100), digits(b.w, 100), digits(b.h, 100)},
                          0.6 * b.area(),
                          o == 0 && i % 70 == 0,
                          static_cast<std::int64_t>(truths.size() + 1)});
      }
      for (int d = 0; d < per_image; ++d) {
        const auto u = [&](int lane) { return rng.uniform(1000000000ull + 1000ull * i + d, lane); };
        const CocoTruth& near = truths[truths.size() - 1 - static_cast<std::size_t>(7 * u(0))];
        const double far = d % 3 == 0 ? 0.2 : 3;
        const CocoBox b{near.box.x + far * (u(1) - 0.5) * near.box.w, near.box.y + far * (u(2) - 0.5) * near.box.h,
                        near.box.w * (0.8 + 0.4 * u(3)), near.box.h * (0.8 + 0.4 * u(4))};
        found.push_back({1 + i,
                         d % 3 < 2 ? near.category : category(500000000ull + 1000ull * i + d),
                         {digits(b.x, 100), digits(b.y, 100), digits(b.w, 100), digits(b.h, 100)},
                         digits(u(5), 10000)});
      }
    }
  }

  static Json box(const CocoBox& b) { return std::vector<double>{b.x, b.y, b.w, b.h}; }
  void write(const std::string& folder) const {
    Json truth = Json::object({{"info", Json::object()}, {"images", Json::array()}, {"categories", Json::array()}});
    for (const auto id : images) truth["images"].add(Json::object({{"id", id}}));
    for (const auto id : categories) truth["categories"].add(Json::object({{"id", id}}));
    Json annotations = Json::array(), results = Json::array();
    for (const auto& t : truths)
      annotations.add(Json::object({{"id", t.id},
                                    {"image_id", t.image},
                                    {"category_id", t.category},
                                    {"bbox", box(t.box)},
                                    {"area", t.area},
                                    {"iscrowd", int(t.crowd)}}));
    truth.set("annotations", annotations);
    for (const auto& d : found)
      results.add(
          Json::object({{"image_id", d.image}, {"category_id", d.category}, {"bbox", box(d.box)}, {"score", d.score}}));
    std::ofstream(folder + "/truth.json") << truth.dump();
    std::ofstream(folder + "/results.json") << results.dump();
  }
};

Results metric() {
  Results all;
  for (const int per_image : {20, 100}) {
    const CocoData data(5000, per_image);
    std::array<double, 12> stats{};
    const double ms =
        median_ms([&] { stats = coco_metric(data.images, data.categories, data.truths, data.found).stats(); });
    const auto name = fmt::format("coco_metric/5000_images/{}_detections_each", per_image);
    all.emplace_back(name, 1e-3 * ms, "s");
    all.emplace_back(name + "/AP", stats[0], "ratio");
    const char* folder = std::getenv("MOECNN_BENCH_COCO");
    if (folder && per_image == 100) data.write(folder);
  }
  return all;
}

}  // namespace

TEST_CASE("boxes") {
  Results all;
  for (const auto& work : {matching, suppression, metric})
    for (auto& result : bench::isolated(work)) all.push_back(result);
  bench::report("boxes", all);
  CHECK(!all.empty());
}
