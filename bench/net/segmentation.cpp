/// The six segmentation networks on images of 512×256 pixels (513×257 for PSPNet), batch 1 and 4: images/s for training
/// and inference, the ratio to the convolution bound, peak and planned memory. Environment:
///   MOECNN_BENCH_NETS     which of them, e.g. "enet,unet"          MOECNN_BENCH_BATCHES  e.g. "4"
///   MOECNN_BENCH_ROUNDS   timed steps, default 9                    MOECNN_BENCH_HEIGHT   of the images, default 256
///   MOECNN_BENCH_BOUND    0: without the convolution bound          MOECNN_BENCH_MODES    "train", "infer"
///   MOECNN_BENCH_REBUILD  0, 1, 2: make values again for the backward pass never, where cheap (default), always
///   MOECNN_BENCH_DEAREST  print the N slowest operations            MOECNN_BENCH_CPU      processor time, see harness.hpp
#ifdef MOECNN_HAS_ONEDNN
#include "moecnn/analysis/segment.hpp"
#include "moecnn/model/any_net.hpp"
#include "moecnn/zoo/deeplabv3plus.hpp"
#include "moecnn/zoo/enet.hpp"
#include "moecnn/zoo/erfnet.hpp"
#include "moecnn/zoo/lraspp.hpp"
#include "moecnn/zoo/pspnet.hpp"
#include "moecnn/zoo/unet.hpp"
#include "net/run_net.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace moecnn;

struct Case {
  std::string name;
  AnyNet net;
  int rim = 0;  ///< pixels that the images' sides have more
  std::vector<Auxiliary> auxiliary = {};
};

}  // namespace

TEST_CASE("segmentation networks, 512x256, batch 1 and 4, f32") {
  const Case cases[] = {{"enet", ENet<19>{}},
                        {"erfnet", ERFNet<19>{}},
                        {"unet", UNet<19>{}},
                        {"lraspp", LrAspp<19>{}},
                        {"deeplabv3plus", DeepLabV3Plus<19>{}},
                        {"pspnet", PspNet<19>{}, 1, {{.value = "aux"}}}};
  const auto names = bench::env_list("MOECNN_BENCH_NETS", "enet,erfnet,unet,lraspp,deeplabv3plus,pspnet");
  const int height = bench::env_int("MOECNN_BENCH_HEIGHT", 256);
  bench::Results all;
  for (const Case& c : cases) {
    if (std::find(names.begin(), names.end(), c.name) == names.end()) continue;
    for (const std::string& mode : bench::env_list("MOECNN_BENCH_MODES", "train,infer"))
      for (const std::string& batch : bench::env_list("MOECNN_BENCH_BATCHES", "4,1")) {
        const Extent images{std::stoi(batch), height + c.rim, 2 * height + c.rim};
        ModelOpts opts;
        opts.task = task::Segment();
        opts.auxiliary = c.auxiliary;
        opts.rebuild = static_cast<Rebuild>(bench::env_int("MOECNN_BENCH_REBUILD", 1));
        const auto results = bench::isolated([&] {
          return bench::run_net(c.name + "/" + batch, c.net, images, opts, mode == "train",
                                bench::env_int("MOECNN_BENCH_BOUND", 1) != 0);
        });
        all.insert(all.end(), results.begin(), results.end());
      }
  }
  bench::report("segmentation", all);
  CHECK(!all.empty());
}

#endif
