// Weights files of networks with other names, and of the network without mixtures.
#include "moecnn/train/weights.hpp"

#include "io/scratch.hpp"
#include "moecnn/graph/recorder.hpp"
#include "moecnn/layer/batch_norm.hpp"
#include "moecnn/layer/conv.hpp"
#include "moecnn/moe/moe.hpp"

#include <doctest/doctest.h>

using namespace moecnn;

namespace {

struct Block {
  static constexpr int in = 4, out = 4;
  Value<4> wire(Recorder& g, Value<4> x) const { return g("bn", BatchNorm<4>{}, g("conv", Conv<4, 4>{}, x)); }
};

template <class Stage>
struct Net {
  static constexpr int in = 4;
  Value<4> wire(Recorder& g, Value<4> x) const {
    return g("stage", Stage{}, g("stem", Conv<4, 4, ConvOpts{.bias = true}>{}, x));
  }
};
using Plain = Net<Block>;
using Mixed = Net<MoE<Block, 3>>;

struct Store : ParamStore {
  template <class N>
  explicit Store(const N& net, std::uint64_t seed) {
    adopt(record(net, {1, 4, 4}), {});
    initialise(seed);
  }
  std::vector<double> of(const std::string& name) const { return read(find(name)); }
};

}  // namespace

TEST_CASE("weights under other names: the first that the file has") {
  const Scratch out;
  Store from(Plain{}, 1), to(Plain{}, 2);
  save_weights(from, out / "a.safetensors");
  const auto names = [](std::string_view own) {
    return std::vector<std::string>{"body." + std::string(own), std::string(own)};
  };
  load_renamed(to, out / "a.safetensors", names);
  for (int i = 0; i < from.size(); ++i) CHECK(to.read(i) == from.read(i));

  Store other(Plain{}, 3);
  const auto before = other.of("stem.weight");
  const auto text = error_of([&] {
    load_renamed(other, out / "a.safetensors", [](std::string_view own) {
      return std::vector<std::string>{own == "stem.bias" ? "stem.offset" : std::string(own)};
    });
  });
  CHECK(has(text, "missing (1): 'stem.offset'"));
  CHECK(has(text, "unexpected (1): 'stem.bias'"));
  CHECK(other.of("stem.weight") == before);
}

TEST_CASE("upcycled weights: experts are copies with noise, gates stay, the rest is read") {
  const Scratch out;
  Store plain(Plain{}, 1), mixed(Mixed{}, 2);
  save_weights(plain, out / "a.safetensors");
  const auto gate = mixed.of("stage.gate.fc.weight");
  load_upcycled(mixed, out / "a.safetensors", {.noise = 0});
  CHECK(mixed.of("stem.bias") == plain.of("stem.bias"));
  CHECK(mixed.of("stage.gate.fc.weight") == gate);
  for (const char* expert : {"0", "1", "2"})
    for (const char* name : {"conv.weight", "bn.running_var", "bn.bias"})
      CHECK(mixed.of(formatted("stage.experts.{}.{}", expert, name)) == plain.of(formatted("stage.{}", name)));
  load_upcycled(mixed, out / "a.safetensors", {.noise = 0.1});
  CHECK(mixed.of("stem.bias") == plain.of("stem.bias"));
  CHECK(mixed.of("stage.experts.0.conv.weight") != plain.of("stage.conv.weight"));
  CHECK(mixed.of("stage.experts.0.bn.running_var") == plain.of("stage.bn.running_var"));
}

TEST_CASE("upcycled weights: what is missing or left over is told at once, and nothing changes") {
  const Scratch out;
  Store mixed(Mixed{}, 2), other(Net<Conv<4, 4>>{}, 1);
  save_weights(other, out / "a.safetensors");
  const auto before = mixed.of("stem.weight");
  const auto text = error_of([&] { load_upcycled(mixed, out / "a.safetensors"); });
  CHECK(has(text, "missing (5): 'stage.conv.weight', 'stage.bn.weight'"));
  CHECK(has(text, "unexpected (1): 'stage.weight'"));
  CHECK(mixed.of("stem.weight") == before);
  Store plain(Plain{}, 1);
  save_weights(plain, out / "b.safetensors");
  CHECK(error_of([&] { load_upcycled(plain, out / "b.safetensors"); }) ==
        "the network has no mixture; upcycling fills the experts of one");
}
