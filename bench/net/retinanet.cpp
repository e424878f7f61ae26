/// RetinaNet of 80 classes on pictures of 608×800 pixels, plain and with mixtures of four experts, k = 2, in its heads:
/// images/s for training and inference, the ratio to the convolution bound, peak and planned memory. Training is given
/// targets that the library's matcher has made of 20 boxes per picture. Inference ends with the maps of scores and deltas.
/// Environment:
///   MOECNN_BENCH_NETS     {resnet18,resnet50}-{plain,2block,single,conv4}, default "resnet50-plain,resnet50-2block"
///   MOECNN_BENCH_BATCHES  e.g. "4,1", default "1": all networks with both take hours
///   MOECNN_BENCH_MODES    "train", "infer"                  MOECNN_BENCH_ROUNDS  timed steps, default 9
///   MOECNN_BENCH_HEIGHT   of the pictures, default 608      MOECNN_BENCH_WIDTH   default 800
///   MOECNN_BENCH_NORMS    "trained"; default: frozen, as the detection study has them
///   MOECNN_BENCH_BOUND    0: without the convolution bound  MOECNN_BENCH_STEPS   before the timed ones, see run_net.hpp
///   MOECNN_BENCH_DEAREST  print the N slowest operations    MOECNN_BENCH_CPU     processor time, see harness.hpp
#ifdef MOECNN_HAS_ONEDNN
#include "moecnn/zoo/retinanet.hpp"
#include "detection/objects.hpp"
#include "moecnn/model/any_net.hpp"
#include "moecnn/model/detect.hpp"
#include "moecnn/zoo/resnet.hpp"
#include "net/run_net.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace moecnn;

constexpr int boxes_per_picture = 20;

/// So small that the weights stay as they are: random ones behind frozen norms diverge at a rate that would teach them
/// something, and a step takes as long at any rate.
constexpr double rate = 1e-10;

AnyNet net(const std::string& backbone, HeadMixture kind) {
  const RetinaMoE moe{.kind = kind, .experts = 4};
  if (backbone == "resnet18") return RetinaNet<80, ResNet18<>>{.moe = moe};
  return RetinaNet<80, ResNet50<>>{.moe = moe};
}

/// The targets that a loader makes of boxes.
class BoxTargets {
 public:
  explicit BoxTargets(Extent images) : anchors_({images.h, images.w}) {
    const std::size_t n = anchors_.size();
    classes_.resize(images.n * n), deltas_.resize(4 * images.n * n);
    detection::Matcher matcher;
    for (int b = 0; b < images.n; ++b)
      matcher.match(anchors_, bench::objects(boxes_per_picture, anchors_.image(), static_cast<std::uint64_t>(1 + b)),
                    {classes_.data() + b * n, n}, {deltas_.data() + 4 * b * n, 4 * n});
  }
  Targets targets() const {
    Targets all;
    all.add({"anchor_class", classes_.data()});
    all.add({"anchor_deltas", deltas_.data()});
    return all;
  }
  /// The number of anchors that have a class: where it agrees, another program has the same targets.
  double positive() const {
    return static_cast<double>(std::count_if(classes_.begin(), classes_.end(), [](int c) { return c >= 0; }));
  }

 private:
  detection::Anchors anchors_;
  std::vector<std::int32_t> classes_;
  std::vector<float> deltas_;
};

/// "resnet50-2block": a backbone and a mixture.
AnyNet net_of(const std::string& name) {
  for (const char* backbone : {"resnet18", "resnet50"})
    for (const char* kind : {"plain", "2block", "single", "conv4"})
      if (name == fmt::format("{}-{}", backbone, kind))
        return net(backbone, kind == std::string("plain") ? HeadMixture::none : head_mixture_by_name(kind));
  fail("there is no network \"{}\"; choose resnet18 or resnet50, and -plain, -2block, -single or -conv4", name);
}

}  // namespace

TEST_CASE("RetinaNet, 608x800, batch 1 and 4, f32") {
  const int height = bench::env_int("MOECNN_BENCH_HEIGHT", 608), width = bench::env_int("MOECNN_BENCH_WIDTH", 800);
  bench::Results all;
  for (const std::string& name : bench::env_list("MOECNN_BENCH_NETS", "resnet50-plain,resnet50-2block"))
    for (const std::string& mode : bench::env_list("MOECNN_BENCH_MODES", "train,infer"))
      for (const std::string& batch : bench::env_list("MOECNN_BENCH_BATCHES", "1")) {
        const Extent images{std::stoi(batch), height, width};
        const bool training = mode == "train";
        ModelOpts opts{.task = task::Detect()};
        if (bench::env_list("MOECNN_BENCH_NORMS", "frozen").front() != "trained") opts.frozen_norms = {"*"};
        const std::string at = name + "/" + batch;
        const auto results = bench::isolated([&] {
          const BoxTargets boxes(images);
          auto r = bench::run_net(at, net_of(name), images, opts, training,
                                  bench::env_int("MOECNN_BENCH_BOUND", 1) != 0, {boxes.targets(), rate});
          if (training) r.emplace_back("positive_anchors/train/" + at, boxes.positive(), "anchors");
          return r;
        });
        all.insert(all.end(), results.begin(), results.end());
      }
  bench::report("retinanet", all);
  CHECK(!all.empty());
}

#endif
