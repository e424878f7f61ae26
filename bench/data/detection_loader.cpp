/// How fast pictures with boxes come out of their loader, by threads, with the pictures' decoding, without it and without
/// matching anchors; and the time and memory that annotations as large as COCO's take to read. The pictures are those of
/// the folder MOECNN_DATA that the tests use, too; without it, generated scenes alone. Environment:
///   MOECNN_BENCH_ROUNDS   batches per figure, default 24      MOECNN_BENCH_LOADER_THREADS   default "0,1,2"
///   MOECNN_BENCH_JSON_MB  size of the annotations, default 450; 0: not measured
#include "moecnn/data/detection_loader.hpp"
#include "harness.hpp"
#include "moecnn/data/coco.hpp"
#include "moecnn/data/synthetic_boxes.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace moecnn;
using bench::Results, bench::seconds;

/// Pictures per second in the long run: those made ready ahead are handed out before the clock runs.
Results images_per_second(const std::string& name, const data::DetectionSet& set, data::DetectionLoaderOpts opts) {
  opts.drop_last = true;
  data::DetectionLoader loader(set, data::DetectionLoaderOpts::training(data::DetectionAugment::paper(), opts));
  const int batches = bench::env_int("MOECNN_BENCH_ROUNDS", 24);
  for (int i = 0; i <= opts.prefetch; ++i) loader.next();
  int images = 0;
  const double time = seconds([&] {
    for (int i = 0; i < batches; ++i) images += loader.next().count;
  });
  return {{"detection_loader/" + name, images / time, "images/s"}};
}

/// Annotations that look like those of train2017: as many pictures, boxes and bytes in proportion, in its order.
std::filesystem::path write_annotations(std::size_t megabytes) {
  const auto path = std::filesystem::temp_directory_path() / ("moecnn_bench_" + std::to_string(::getpid()) + ".json");
  std::ofstream out(path);
  const Rng rng(1, Purpose::other);
  const double share = static_cast<double>(megabytes) / 450;
  const auto pictures = static_cast<std::uint64_t>(118287 * share), boxes = static_cast<std::uint64_t>(860001 * share);
  out << R"({"info": {"year": 2017}, "licenses": [], "images": [)";
  for (std::uint64_t i = 0; i < pictures; ++i)
    out << (i ? ", " : "")
        << fmt::format(
               R"({{"license": 3, "file_name": "{0:012}.jpg", "coco_url": "http://images.cocodataset.org/{0:012}.jpg", )"
               R"("height": 480, "width": 640, "date_captured": "2013-11-14 11:18:45", "id": {0}}})",
               5 * i + 9);
  out << "], \"annotations\": [";
  for (std::uint64_t i = 0; i < boxes; ++i) {
    std::string polygon;
    for (std::uint64_t p = 0, points = 8 + rng.below(31, i); p < points; ++p)
      polygon += fmt::format("{}{:.2f}, {:.2f}", p ? ", " : "", 640 * rng.uniform(i, 2), 480 * rng.uniform(p, 3));
    out << (i ? ", " : "")
        << fmt::format(R"({{"segmentation": [[{}]], "area": {:.4f}, "iscrowd": 0, "image_id": {}, )"
                       R"("bbox": [{:.2f}, {:.2f}, {:.2f}, {:.2f}], "category_id": {}, "id": {}}})",
                       polygon, 9000 * rng.uniform(i, 4), 5 * rng.below(pictures, i, 5) + 9, 300 * rng.uniform(i, 6),
                       200 * rng.uniform(i, 7), 300 * rng.uniform(i, 8), 200 * rng.uniform(i, 9),
                       1 + rng.below(80, i, 10), i + 1);
  }
  out << "], \"categories\": [";
  for (int c = 1; c <= 80; ++c)
    out << (c > 1 ? ", " : "") << fmt::format(R"({{"supercategory": "thing", "id": {0}, "name": "class {0}"}})", c);
  out << "]}";
  return path;
}

Results read_annotations(const std::filesystem::path& path) {
  // Only the records are read: there are no pictures.
  data::DetectionSet set{.name = "annotations"};
  data::detail::CocoFaults faults(set.findings, false);
  const double before = bench::peak_memory_mb();
  const double time = seconds(
      [&] { data::detail::assemble(set, data::detail::CocoReader(path, faults).read(), path.string(), {}, faults); });
  const double mb = static_cast<double>(std::filesystem::file_size(path)) / 1e6;
  return {{"annotations/size", mb, "MB"},
          {"annotations/boxes", static_cast<double>(set.objects.size()), "boxes"},
          {"annotations/read", time, "s"},
          {"annotations/speed", mb / time, "MB/s"},
          {"annotations/peak_memory", bench::peak_memory_mb() - before, "MB"}};
}

}  // namespace

TEST_CASE("loading pictures with boxes") {
  const char* root = std::getenv("MOECNN_DATA");
  const std::filesystem::path coco = root && *root ? std::filesystem::path(root) / "detection/coco" : "";
  const bool has_coco = !coco.empty() && std::filesystem::is_directory(coco);
  if (!has_coco) WARN("MOECNN_DATA names no folder with detection/coco: generated scenes alone");
  Results all;
  const auto add = [&](const std::function<Results()>& work) {
    for (auto& result : bench::isolated(work)) all.push_back(result);
  };
  for (const std::string& text : bench::env_list("MOECNN_BENCH_LOADER_THREADS", "0,1,2")) {
    const int threads = std::atoi(text.c_str());
    const std::string in = "/" + text + "_threads";
    const auto scenes = [=](bool targets) {
      return images_per_second(std::string("scenes") + (targets ? "" : "_no_targets") + in,
                               data::synthetic_boxes(16, {.height = 480, .width = 640}),
                               {.targets = targets, .threads = threads});
    };
    if (has_coco)
      for (const bool kept : {false, true})
        add([=] {
          return images_per_second(std::string("coco") + (kept ? "_kept" : "") + in, data::coco(coco, "train2017"),
                                   {.threads = threads, .cache_bytes = kept ? std::size_t{1} << 30 : 0});
        });
    for (const bool targets : {true, false}) add([=] { return scenes(targets); });
  }
  if (const int megabytes = bench::env_int("MOECNN_BENCH_JSON_MB", 450); megabytes > 0) {
    const auto path = write_annotations(static_cast<std::size_t>(megabytes));
    add([&] { return read_annotations(path); });
    std::filesystem::remove(path);
  }
  bench::report("detection_loader", all);
  CHECK(!all.empty());
}
