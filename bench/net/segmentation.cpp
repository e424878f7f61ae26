/// The six segmentation networks on images of 512×256 pixels (513×257 for PSPNet), batch 1 and 4: images/s for training
/// and inference, the ratio to the convolution bound, peak and planned memory. Environment:
///   MOECNN_BENCH_NETS     which of them, e.g. "enet,unet"          MOECNN_BENCH_BATCHES  e.g. "4"
///   MOECNN_BENCH_ROUNDS   timed steps, default 9                    MOECNN_BENCH_HEIGHT   of the images, default 256
///   MOECNN_BENCH_BOUND    0: without the convolution bound          MOECNN_BENCH_MODES    "train", "infer"
///   MOECNN_BENCH_REBUILD  0, 1, 2: make values again for the backward pass never, where cheap (default), always
///   MOECNN_BENCH_DEAREST  print so many of the dearest operations   MOECNN_BENCH_CPU      processor time, see harness.hpp
#ifdef MOECNN_HAS_ONEDNN
#include "moecnn/zoo/deeplabv3plus.hpp"
#include "moecnn/zoo/enet.hpp"
#include "moecnn/zoo/erfnet.hpp"
#include "moecnn/zoo/lraspp.hpp"
#include "moecnn/zoo/pspnet.hpp"
#include "moecnn/zoo/unet.hpp"
#include "net/run_net.hpp"

#include <catch2/catch.hpp>

#include <sstream>

namespace {

using namespace moecnn;

/// Any of the networks, so that what runs them is compiled once.
struct AnyNet {
  static constexpr int in = 3;
  std::string name;
  Value<19> (*wire_it)(Recorder&, Value<3>);
  int rim = 0;  ///< pixels that the images' sides have more
  std::vector<Auxiliary> auxiliary = {};

  Value<19> wire(Recorder& g, Value<3> image) const { return wire_it(g, image); }
};

template <class Net>
AnyNet any(const char* name, int rim = 0, std::vector<Auxiliary> auxiliary = {}) {
  return {name, [](Recorder& g, Value<3> image) { return Net{}.wire(g, image); }, rim, std::move(auxiliary)};
}

std::vector<std::string> env_list(const char* name, const char* otherwise) {
  const char* text = std::getenv(name);
  std::istringstream in(text ? text : otherwise);
  std::vector<std::string> list;
  for (std::string item; std::getline(in, item, ',');) list.push_back(item);
  return list;
}

}  // namespace

TEST_CASE("segmentation networks, 512x256, batch 1 and 4, f32") {
  const AnyNet nets[] = {any<ENet<19>>("enet"),
                         any<ERFNet<19>>("erfnet"),
                         any<UNet<19>>("unet"),
                         any<LrAspp<19>>("lraspp"),
                         any<DeepLabV3Plus<19>>("deeplabv3plus"),
                         any<PspNet<19>>("pspnet", 1, {{.value = "aux"}})};
  const auto names = env_list("MOECNN_BENCH_NETS", "enet,erfnet,unet,lraspp,deeplabv3plus,pspnet");
  const int height = bench::env_int("MOECNN_BENCH_HEIGHT", 256);
  bench::Results all;
  for (const AnyNet& net : nets) {
    if (std::find(names.begin(), names.end(), net.name) == names.end()) continue;
    for (const std::string& mode : env_list("MOECNN_BENCH_MODES", "train,infer"))
      for (const std::string& batch : env_list("MOECNN_BENCH_BATCHES", "4,1")) {
        const Extent images{std::stoi(batch), height + net.rim, 2 * height + net.rim};
        ModelOpts opts;
        opts.loss.ignore = 255;
        opts.auxiliary = net.auxiliary;
        opts.rebuild = static_cast<Rebuild>(bench::env_int("MOECNN_BENCH_REBUILD", 1));
        const auto results = bench::isolated([&] {
          return bench::run_net(net.name + "/" + batch, net, images, opts, mode == "train",
                                bench::env_int("MOECNN_BENCH_BOUND", 1) != 0);
        });
        all.insert(all.end(), results.begin(), results.end());
      }
  }
  bench::report("segmentation", all);
  CHECK(!all.empty());
}

#endif
