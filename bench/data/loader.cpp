/// Whether loaders keep up with training: time per image of a loader alone, of training steps on a batch in memory,
/// and of training steps that a loader feeds, with the share of the time that they wait for it. Real files, from the
/// folder MOECNN_DATA that the tests use, too; what is not there is left out. Environment:
///   MOECNN_BENCH_ROUNDS   timed steps, default 9            MOECNN_BENCH_LOADER_THREADS   background threads, default 1
///   MOECNN_BENCH_SETS     default "cifar100,camvid,bdd100k,cityscapes"
#ifdef MOECNN_HAS_ONEDNN
#include "moecnn/data/loader.hpp"
#include "moecnn/analysis/segment.hpp"
#include "moecnn/data/bdd100k.hpp"
#include "moecnn/data/camvid.hpp"
#include "moecnn/data/cifar100.hpp"
#include "moecnn/data/cityscapes.hpp"
#include "moecnn/data/segmentation_loader.hpp"
#include "moecnn/model/any_net.hpp"
#include "moecnn/zoo/cifar_moe.hpp"
#include "moecnn/zoo/enet.hpp"
#include "moecnn/zoo/lraspp.hpp"
#include "net/run_net.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace moecnn;
using bench::Results, bench::seconds;

int loader_threads() { return bench::env_int("MOECNN_BENCH_LOADER_THREADS", 1); }

/// Times of all three, in turn.
template <class Source>
Results feed(const std::string& name, const AnyNet& net, Source& source, Extent images) {
  ModelOpts opts;
  opts.task = task::Segment();
  bench::Setup<AnyNet> s(net, images, opts);
  const auto* b = &source.next();
  for (int i = 0; i < 3; ++i) s.train(b->images, b->labels);
  std::vector<double> alone, unfed, fed, waits;
  for (int r = 0; r < 3; ++r) {
    for (int i = 0; i < bench::rounds(); ++i) unfed.push_back(seconds([&] { s.train(b->images, b->labels); }));
    // Batches that were made ready ahead are handed out before the clock runs.
    for (int i = 0; i < 5; ++i) b = &source.next();
    const int batches = 3 * bench::rounds();
    const auto load = [&] {
      for (int i = 0; i < batches; ++i) b = &source.next();
    };
    alone.push_back(seconds(load) / batches);
    for (int i = -2; i < bench::rounds(); ++i) {
      double wait = 0;
      const double step = seconds([&] {
        wait = seconds([&] { b = &source.next(); });
        s.train(b->images, b->labels);
      });
      if (i >= 0) fed.push_back(step), waits.push_back(wait);
    }
  }
  const double step = bench::median(fed);
  return {{"loader/" + name + "/alone_images_per_s", images.n / bench::median(alone), "images/s"},
          {"loader/" + name + "/training_on_one_batch_images_per_s", images.n / bench::median(unfed), "images/s"},
          {"loader/" + name + "/training_images_per_s", images.n / step, "images/s"},
          {"loader/" + name + "/waiting_share", bench::median(waits) / step, "ratio"}};
}

/// Street scenes in crops, as `segmentation train` cuts them.
Results feed_streets(const std::string& name, const AnyNet& net, data::SegmentationSet set, Size2 crop,
                     std::size_t cache_bytes) {
  const int batch = 4;
  while (set.size() < 2 * batch) {  // a few sample files stand for many
    const auto pairs = set.pairs;
    set.pairs.insert(set.pairs.end(), pairs.begin(), pairs.end());
  }
  data::SegmentationLoader source(
      set, data::SegmentationLoaderOpts::training(
               crop, {.batch = batch, .threads = loader_threads(), .drop_last = true, .cache_bytes = cache_bytes}));
  return feed(name, net, source, {batch, crop.h, crop.w});
}

Results feed_cifar(const std::filesystem::path& dir) {
  const auto set = data::load_cifar100(dir, data::Split::train);
  data::Loader source(set, data::LoaderOpts::training({.batch = 64, .threads = loader_threads(), .drop_last = true}));
  return feed("cifar100/resnet18", CifarMoENet{.position = 0}, source, {64, 32, 32});
}

}  // namespace

TEST_CASE("loaders against training") {
  const char* root = std::getenv("MOECNN_DATA");
  if (!root || *root == '\0') {
    WARN("MOECNN_DATA names no folder: no files to load");
    return;
  }
  const std::filesystem::path dir = root;
  constexpr std::size_t no_cache = 0, cache = std::size_t{512} << 20;
  const std::string wanted =
      std::getenv("MOECNN_BENCH_SETS") ? std::getenv("MOECNN_BENCH_SETS") : "cifar100,camvid,bdd100k,cityscapes";
  Results all;
  const auto run = [&](const std::string& set, const std::function<Results()>& work) {
    if (wanted.find(set) == std::string::npos || !std::filesystem::is_directory(dir / set)) return;
    for (auto& result : bench::isolated(work)) all.push_back(result);
  };
  // The networks that train fastest, which are the hardest to feed.
  run("cifar100", [&] { return feed_cifar(dir / "cifar100"); });
  run("camvid", [&] {
    return feed_streets("camvid/enet", ENet<19>{}, data::camvid(dir / "camvid", data::Split::train), {360, 480}, cache);
  });
  run("camvid", [&] {
    return feed_streets("camvid_not_kept/enet", ENet<19>{}, data::camvid(dir / "camvid", data::Split::train),
                        {360, 480}, no_cache);
  });
  run("bdd100k", [&] {
    return feed_streets("bdd100k/lraspp", LrAspp<19>{}, data::bdd100k(dir / "bdd100k", data::Split::train), {720, 720},
                        no_cache);
  });
  run("cityscapes", [&] {
    return feed_streets("cityscapes/lraspp", LrAspp<19>{}, data::cityscapes(dir / "cityscapes", data::Split::train),
                        {768, 768}, no_cache);
  });
  bench::report("loader", all);
  CHECK(!all.empty());
}

#endif
