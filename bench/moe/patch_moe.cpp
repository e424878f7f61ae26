/// PatchConvMoE instead of a 3×3 convolution of a large map, forward and backward: one image of 256×128 pixels,
/// 8 experts of which 2 serve each patch of a 3×3 grid, with and without mixing their kernels; and from which size of
/// row on mixing pays. MOECNN_BENCH_ROUNDS (default 9) sets the number of timed runs, OMP_NUM_THREADS the threads.
#include "moecnn/moe/patch_moe.hpp"
#include "harness.hpp"
#include "moecnn/graph/passes/mix_linear_experts.hpp"
#include "moecnn/model/program.hpp"
#include "moecnn/moe/gate_any.hpp"

#ifdef MOECNN_HAS_ONEDNN
#include "moecnn/backend/onednn.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace moecnn;

int rounds() { return bench::env_int("MOECNN_BENCH_ROUNDS", 9); }

enum class Middle { nothing, conv, mixture };

/// A layer between two 1×1 convolutions, so that its maps are stored as they would be inside a network.
template <int C, ConvOpts O = ConvOpts{.kernel = 3, .pad = 1}>
struct Net {
  static constexpr int in = 3;
  using Layer = Conv<C, C, O>;
  Middle middle = Middle::mixture;
  int grid = 3;
  gate::Any gate{};

  Value<1> wire(Recorder& g, Value<3> x) const {
    auto y = g("first", Conv<3, C>{}, x);
    if (middle == Middle::conv) y = g("layer", Layer{}, y);
    if (middle == Middle::mixture)
      y = g("layer",
            PatchMoE<Layer, 8, TopK<2, RouterOpts{.noise = Noise::none}>, gate::Any>{.patches = {.grid = grid},
                                                                                     .gate = gate},
            y);
    return g("last", Conv<C, 1>{}, y);
  }
};

/// Runs forward and backward of one network over and over.
class Runner {
 public:
  template <class N>
  Runner(const N& net, Extent images, bool mix) {
    Graph g = record(net, images);
    if (mix) passes::mix_linear_experts(g, {}, passes::Mixing::always);
    const int result = g.outputs[0];
    program_ = std::make_unique<Program>(std::move(g), backend_, store_, arena_,
                                         ProgramOpts{.training = true, .seeds = {result}});
    store_.initialise(1);
    const Rng rng(1, Purpose::other);
    pixels_.resize(static_cast<std::size_t>(3) * images.n * images.pixels());
    for (std::size_t i = 0; i < pixels_.size(); ++i) pixels_[i] = static_cast<float>(2 * rng.uniform(i) - 1);
    slope_.assign(static_cast<std::size_t>(program_->graph().edges[result].elements()), 1e-3f);
  }
  void run() {
    program_->set_images(pixels_.data());
    program_->forward({.training = true});
    program_->seed(program_->graph().outputs[0], slope_.data());
    program_->backward({.training = true});
  }

 private:
  backend::OneDnn backend_;
  ParamStore store_;
  Arena arena_;
  std::unique_ptr<Program> program_;
  std::vector<float> pixels_, slope_;
};

/// Milliseconds of each runner, taken in turn.
std::vector<double> milliseconds(std::vector<Runner*> runners) {
  std::vector<std::function<void()>> work;
  for (Runner* r : runners) {
    r->run(), r->run();
    work.push_back([r] { r->run(); });
  }
  auto t = bench::medians_in_turn(work, 2 * rounds());
  for (double& s : t) s *= 1e3;
  return t;
}

template <int C>
bench::Results against_convolution(const std::string& gate) {
  const Extent images{1, 128, 256};
  const gate::Any g = gate::by_name(gate);
  Runner nothing(Net<C>{.middle = Middle::nothing}, images, false), conv(Net<C>{.middle = Middle::conv}, images, false);
  Runner mixed(Net<C>{.gate = g}, images, true), plain(Net<C>{.gate = g}, images, false);
  const auto t = milliseconds({&nothing, &conv, &mixed, &plain});
  const std::string name = "patch_moe/" + std::to_string(C) + "/" + gate;
  return {{name + "/convolution_ms", t[1] - t[0], "ms"},
          {name + "/mixed_over_convolution", (t[2] - t[0]) / (t[1] - t[0]), "ratio"},
          {name + "/not_mixed_over_convolution", (t[3] - t[0]) / (t[1] - t[0]), "ratio"}};
}

/// 32 rows of side × side pixels, routed as wholes.
template <int C, ConvOpts O>
bench::Results row_size(const char* kernel, int side) {
  const Extent images{32, side, side};
  Runner mixed(Net<C, O>{.grid = 1}, images, true), plain(Net<C, O>{.grid = 1}, images, false);
  const auto t = milliseconds({&mixed, &plain});
  return {{fmt::format("rows/{}/{}_channels/{}_pixels/mixed_over_not_mixed", kernel, C, side * side), t[0] / t[1],
           "ratio"}};
}

}  // namespace

TEST_CASE("PatchConvMoE, forward and backward, f32") {
  bench::Results all;
  const auto run = [&](const std::function<bench::Results()>& work) {
    for (auto& result : bench::isolated(work)) all.push_back(result);
  };
  for (const std::string gate : {"gap", "2conv-gap"}) {
    run([=] { return against_convolution<64>(gate); });
    run([=] { return against_convolution<256>(gate); });
  }
  for (const int side : {4, 6, 8, 12, 16, 20, 24}) {
    constexpr ConvOpts point{}, line{.kernel = {1, 3}, .pad = {0, 1}}, square{.kernel = 3, .pad = 1};
    run([=] { return row_size<64, point>("1x1", side); });
    run([=] { return row_size<256, point>("1x1", side); });
    run([=] { return row_size<64, line>("1x3", side); });
    run([=] { return row_size<128, line>("1x3", side); });
    run([=] { return row_size<32, square>("3x3", side); });
    run([=] { return row_size<128, square>("3x3", side); });
  }
  bench::report("patch_moe", all);
  CHECK(!all.empty());
}

#endif
