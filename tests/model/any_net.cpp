#include "moecnn/model/any_net.hpp"

#include <doctest/doctest.h>

#include "io/scratch.hpp"
#include "moecnn/backend/default.hpp"
#include "moecnn/backend/reference.hpp"
#include "moecnn/layer/conv.hpp"
#include "moecnn/model/model.hpp"
#include "moecnn/moe/patch_moe.hpp"

using namespace moecnn;

namespace {
struct PlainNet {
  static constexpr int in = 3;
  int shift = 0;
  Value<2> wire(Recorder& g, Value<3> image) const {
    const auto x = g("conv", Conv<3, 2, ConvOpts{.kernel = 3, .pad = 1}>{}, image);
    return shift ? g.relu(x) : x;
  }
};
struct MixedNet {
  static constexpr int in = 3;
  Value<4> wire(Recorder& g, Value<3> image) const {
    return g("mix", PatchConvMoE<3, 4, ConvOpts{.kernel = 3, .pad = 1}, 5, TopK<2, RouterOpts{.noise = Noise::none}>>{},
             image);
  }
};
}  // namespace

TEST_CASE("a network without its type records the same graph, members included") {
  for (int shift : {0, 1}) {
    const AnyNet any = PlainNet{shift};
    const Graph a = record(any, {2, 5, 6}), b = record(PlainNet{shift}, {2, 5, 6});
    REQUIRE(a.nodes.size() == b.nodes.size());
    for (std::size_t n = 0; n < a.nodes.size(); ++n) CHECK(a.nodes[n].op.index() == b.nodes[n].op.index());
    CHECK(a.params[0].name == "conv.weight");
  }
  CHECK(has(error_of([] { AnyNet{}.record({1, 1, 1}); }), "holds no network"));
}

TEST_CASE("models of it run, for images of other sizes too") {
  using Any = Model<AnyNet, backend::Reference<float>>;
  using Typed = Model<PlainNet, backend::Reference<float>>;
  Any any({1, 6, 6}, {.seed = 5}, PlainNet{});
  Typed typed({1, 4, 5}, {.seed = 5});
  std::vector<float> image(3 * 4 * 5);
  for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<float>(i % 7);
  const auto run = [&](auto& program) {
    program.set_images(image.data());
    program.forward({});
    return program.read(program.graph().outputs[0]);
  };
  CHECK(run(any.inference(Extent{1, 4, 5})) == run(typed.inference()));
  CHECK(&any.inference(Extent{1, 4, 5}) == &any.inference(Extent{1, 4, 5}));
  CHECK(&any.inference(Extent{1, 4, 5}) != &any.inference());
}

TEST_CASE("of the experts' parameters, k in N are active") {
  const Graph g = record(MixedNet{}, {1, 9, 9});
  const long long expert = 3 * 4 * 9;
  CHECK(active_parameter_count(g) == parameter_count(g) - 3 * expert);
  CHECK(active_parameter_count(record(PlainNet{}, {1, 9, 9})) == parameter_count(record(PlainNet{}, {1, 9, 9})));
}
