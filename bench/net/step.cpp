/// Steps on request: one training step or inference for each line of standard input, answered with its seconds. For
/// bench/alternate.py, which compares two builds step by step, so that a machine whose speed drifts treats both alike.
///   MOECNN_BENCH_NET   dense, moe1, moe4 (ResNet-18, batch 64) or enet, lraspp, deeplabv3plus (512×256, batch 4)
///   MOECNN_BENCH_MODE  train (default) or infer
#ifdef MOECNN_HAS_ONEDNN
#include "moecnn/analysis/segment.hpp"
#include "moecnn/model/any_net.hpp"
#include "moecnn/zoo/cifar_moe.hpp"
#include "moecnn/zoo/deeplabv3plus.hpp"
#include "moecnn/zoo/enet.hpp"
#include "moecnn/zoo/lraspp.hpp"
#include "net/run_net.hpp"

#include <catch2/catch.hpp>

#include <iostream>

namespace {

using namespace moecnn;

AnyNet resnet(int position) {
  CifarMoENet net{.position = position};
  net.balance = balance::Importance{};
  return net;
}

struct Case {
  const char* name;
  AnyNet net;
  Extent images;
  bool maps;
};

}  // namespace

TEST_CASE("steps on request") {
  const Extent small{64, 32, 32}, wide{4, 256, 512};
  const Case cases[] = {{"dense", resnet(0), small, false},   {"moe1", resnet(1), small, false},
                        {"moe4", resnet(4), small, false},    {"enet", ENet<19>{}, wide, true},
                        {"lraspp", LrAspp<19>{}, wide, true}, {"deeplabv3plus", DeepLabV3Plus<19>{}, wide, true}};
  const auto names = bench::env_list("MOECNN_BENCH_NET", "");
  const bool train = bench::env_list("MOECNN_BENCH_MODE", "train").front() == "train";
  for (const Case& c : cases) {
    if (names.empty() || names.front() != c.name) continue;
    ModelOpts opts{.training = train};
    if (c.maps) opts.task = task::Segment();
    bench::Setup<AnyNet> s(c.net, c.images, opts);
    const auto step = [&] { train ? s.train() : s.infer(); };
    for (int i = 0; i < 8; ++i) step();
    std::cout << "ready" << std::endl;
    for (std::string line; std::getline(std::cin, line);) std::cout << bench::seconds(step) << std::endl;
  }
}

#endif
