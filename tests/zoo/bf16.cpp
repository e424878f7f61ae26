// Every network in bf16 on the oneDNN backend: its results and gradients are near those in float.
#if defined(MOECNN_HAS_ONEDNN)
#include "backend/bf16_step.hpp"
#include "moecnn/backend/onednn.hpp"
#include "moecnn/model/any_net.hpp"
#include "moecnn/zoo/cifar_moe.hpp"
#include "moecnn/zoo/deeplabv3plus.hpp"
#include "moecnn/zoo/enet.hpp"
#include "moecnn/zoo/erfnet.hpp"
#include "moecnn/zoo/lraspp.hpp"
#include "moecnn/zoo/pspnet.hpp"
#include "moecnn/zoo/resnet.hpp"
#include "moecnn/zoo/retinanet.hpp"
#include "moecnn/zoo/unet.hpp"

#include <doctest/doctest.h>

using namespace moecnn;

TEST_CASE("bf16: every network of the zoo computes nearly what it computes in float") {
  struct Case {
    std::string name;
    Graph graph;
    double tolerance = 0.03;
  };
  // ENet puts maxima back where they came from: of two that are nearly equal, the other may be the larger.
  const Case cases[] = {{"CIFAR mixture", record(CifarMoENet{.position = 4}, {4, 32, 32})},
                        {"ENet", record(ENet<5>{}, {2, 64, 64}), 0.25},
                        {"ERFNet", record(ERFNet<5>{}, {2, 64, 64})},
                        {"U-Net", record(UNet<5>{}, {2, 64, 64})},
                        {"LR-ASPP", record(LrAspp<5>{}, {2, 64, 64})},
                        {"DeepLabV3+", record(DeepLabV3Plus<5>{}, {2, 64, 64})},
                        {"PSPNet", record(PspNet<5>{}, {2, 65, 65})},
                        {"RetinaNet", record(RetinaNet<3, ResNet18<>>{}, {1, 64, 96})}};
  for (const Case& c : cases) {
    CAPTURE(c.name);
    test::Rig<backend::OneDnn> full, low{.precision = Precision::bf16};
    const Graph graph = test::fused(c.graph);
    auto &a = full.add_training(graph), &b = low.add_training(graph);
    full.store.initialise(1), low.store.initialise(1);
    const auto batch = test::random_batch(graph, 1);
    // Running statistics: small batches amplify what is rounded.
    const StepContext step{.noise_off = true};
    test::Bf16Step s;
    s.exact = test::run(full, a, batch, step), s.bf16 = test::run(low, b, batch, step);
    CHECK(test::distance(s.bf16.result, s.exact.result) < c.tolerance);
    CHECK(test::gradient_distance(s) < std::max(0.25, 1.5 * c.tolerance));
    // Of maps as small as these, scratch memory, which depends on the CPU, is a good part.
    CHECK(static_cast<double>(b.plan().arena_bytes) < 1.2 * static_cast<double>(a.plan().arena_bytes));
  }
}
#endif
