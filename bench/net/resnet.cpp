/// ResNet-18 on 32×32 images, plain and with the mixture at positions 1 and 4: images/s for training and inference, the
/// ratio to the convolution bound, peak memory, first-step latency, primitives made; and what more experts cost. Gates have
/// their noise, another one in every step.
///   MOECNN_BENCH_ROUNDS     timed steps, default 9           OMP_NUM_THREADS      threads
///   MOECNN_BENCH_STEPS      steps of a mixture before them, default 40: does peak memory grow with the steps?
///   MOECNN_BENCH_POSITIONS  of the mixture, default "0,1,4"  MOECNN_BENCH_BATCH   default 64
#include "moecnn/moecnn.hpp"
#include "moecnn/zoo/cifar_moe.hpp"

#ifdef MOECNN_HAS_ONEDNN
#include "net/run_net.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace moecnn;
const Extent images{bench::env_int("MOECNN_BENCH_BATCH", 64), 32, 32};

CifarMoENet net(int position, int experts = 4) {
  CifarMoENet n{.position = position, .experts = experts, .k = 2};
  n.balance = balance::Importance{};
  return n;
}
std::string name_of(int position) { return position == 0 ? "dense" : "moe" + std::to_string(position); }

/// Position 1, k = 2: what a step costs as the number of experts grows.
bench::Results expert_count() {
  bench::Results r;
  bench::Setup few(net(1, 4), images, {}), many(net(1, 32), images, {});
  for (int i = 0; i < 4; ++i) few.forward_backward(), many.forward_backward();
  const auto t =
      bench::medians_in_turn({[&] { few.forward_backward(); }, [&] { many.forward_backward(); }}, 2 * bench::rounds());
  r.emplace_back("experts/4/forward_backward_ms", 1e3 * t[0], "ms");
  r.emplace_back("experts/32/forward_backward_ms", 1e3 * t[1], "ms");
  r.emplace_back("experts/32_over_4/time", t[1] / t[0], "ratio");
  r.emplace_back("experts/32_over_4/activation_memory",
                 static_cast<double>(many.model.training().plan().arena_bytes) /
                     static_cast<double>(few.model.training().plan().arena_bytes),
                 "ratio");
  return r;
}

}  // namespace

TEST_CASE("ResNet-18, 32x32, f32") {
  bench::Results all;
  const auto run = [&](const std::function<bench::Results()>& work) {
    for (auto& result : bench::isolated(work)) all.push_back(result);
  };
  for (const bool training : {true, false})
    for (const std::string& position : bench::env_list("MOECNN_BENCH_POSITIONS", "0,1,4"))
      run([=, p = std::stoi(position)] { return bench::run_net(name_of(p), net(p), images, {}, training); });
  run(expert_count);
  bench::report("resnet", all);
  CHECK(!all.empty());
}

#endif
