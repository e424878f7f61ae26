#if MOECNN_HAS_ONEDNN
#include "onednn_compare.hpp"

#include "moecnn/moe/res_block_moe.hpp"

using namespace moecnn;
using namespace onednn_test;

namespace {

/// A router that follows a table instead of the logits: row r goes to the experts of line r.
struct Table {
  std::vector<std::vector<int>> lines;
  int k = 2;
  Noise noise = Noise::none;

  void verify(int, int, bool) const {}
  void choose(Routing& r) const {
    r.weights.fill(0);
    for (int row = 0; row < r.rows; ++row)
      for (int e : lines[row]) r.weights(row, e) = 0.25 + 0.5 * e;
  }
  void backward(const Routing&, const Matrix& dweights, Matrix& dlogits) const {
    for (std::size_t i = 0; i < dlogits.flat().size(); ++i) dlogits.flat()[i] += dweights.flat()[i];
  }
};

/// An expert with everything a node inside a mixture can be: tails, strides, biases, norms, a linear layer.
struct Expert {
  static constexpr int in = 25, out = 50;
  Value<50> wire(Recorder& g, Value<25> x) const {
    const auto y = g("0", BasicBlock<25, 50, 2>{}, x);
    const auto z = g.relu(g("conv", Conv<50, 50, ConvOpts{.kernel = 3, .pad = 1, .bias = true}>{}, y));
    return g.max_pool(g.add(z, y), {.kernel = 2, .stride = 1});
  }
};

struct PooledExpert {
  static constexpr int in = 25, out = 8;
  Value<8> wire(Recorder& g, Value<25> x) const {
    return g("fc", Linear<25, 8>{}, g.global_avg_pool(g("conv", Conv<25, 25>{}, x)));
  }
};

template <class E>
struct Net {
  static constexpr int in = 3;
  Table table;
  Value<E::out> wire(Recorder& g, Value<3> x) const {
    const auto a = g("stem", Conv<3, 25, ConvOpts{.kernel = 3, .pad = 1}>{}, x);
    MoE<E, 4, Table> mixture;
    mixture.router = table;
    return g("moe", mixture, a);
  }
};

struct Stage {
  static constexpr int in = 3;
  Value<32> wire(Recorder& g, Value<3> x) const {
    const auto a = g("stem", Conv<3, 16, ConvOpts{.kernel = 3, .pad = 1}>{}, x);
    return g("layer", ResBlockMoE<NarrowBlocks<16, 10, 32>, 4, TopK<2>, gate::ConvGapLinear>{}, a);
  }
};

/// Experts of several types between blocked convolutions.
struct Unequal {
  static constexpr int in = 3;
  struct Deep {
    static constexpr int in = 20, out = 24;
    Value<24> wire(Recorder& g, Value<20> x) const {
      const auto y = g.relu(g("bn", BatchNorm<20>{}, g("a", Conv<20, 20, ConvOpts{.kernel = 3, .pad = 1}>{}, x)));
      return g("b", Conv<20, 24>{}, g.add(y, x));
    }
  };
  struct Squeeze {
    static constexpr int in = 20, out = 24;
    Value<24> wire(Recorder& g, Value<20> x) const {
      const auto s = g.hard_sigmoid(g("fc", Linear<20, 20>{}, g.global_avg_pool(x)));
      return g("out", Conv<20, 24, ConvOpts{.bias = true}>{}, g.scale(x, s));
    }
  };
  using Plain = Conv<20, 24, ConvOpts{.kernel = 3, .pad = 1}>;
  Value<8> wire(Recorder& g, Value<3> x) const {
    const auto a = g("stem", Conv<3, 20, ConvOpts{.kernel = 3, .pad = 1}>{}, x);
    const auto y = g("mixture", MoE<std::tuple<Plain, Deep, Squeeze>, 3, TopK<2>>{}, a);
    return g("last", Conv<24, 8>{}, y);
  }
};

// Loads 4, 3, 1, 0; then a row without an expert, and one expert that has all.
const Table uneven{{{0, 1}, {0, 1}, {0, 2}, {0, 1}, {}}};
const Table single{{{3}, {3}, {3}}};

}  // namespace

TEST_CASE("onednn: experts with many rows, one row and none equal the reference") {
  for (const bool fuse : {true, false}) {
    CAPTURE(fuse);
    compare(Net<Expert>{uneven}, {5, 8, 6}, {.fuse = fuse, .tolerance = 1e-4});
    compare(Net<Expert>{single}, {3, 5, 5}, {.fuse = fuse, .tolerance = 1e-4});
    compare(Net<PooledExpert>{uneven}, {5, 4, 4}, {.fuse = fuse});
  }
  compare(Net<Expert>{uneven}, {5, 8, 6}, {.training = false, .fold = true});
}

TEST_CASE("onednn: a mixture in a residual stage equals the reference") {
  compare(Stage{}, {6, 8, 8}, {.tolerance = 1e-4});
  compare(Stage{}, {3, 8, 8}, {.training = false, .fold = true});
}

TEST_CASE("onednn: experts of several types equal the reference") {
  compare(Unequal{}, {6, 8, 8}, {.tolerance = 1e-4});
  compare(Unequal{}, {4, 8, 8}, {.training = false, .fold = true});
}

TEST_CASE("onednn: equal logits route to the same bits on both backends") {
  const Graph g = record(Stage{}, {8, 6, 6});
  const ProgramOpts opts{.training = true, .seeds = g.outputs};
  Side<backend::OneDnn> one(g, opts);
  Side<backend::Reference<float>> ref(g, opts);
  one.randomise(), ref.randomise();
  // Zero weights and random biases: logits that do not depend on how sums are ordered.
  for (auto* store : {&one.store, &ref.store})
    for (const char* name : {"layer.gate.fc.weight", "layer.gate.noise.weight"}) {
      const int i = store->find(name);
      store->write(i, std::vector<float>(store->spec(i).elements(), 0.f).data());
    }
  const auto images = random_values<float>(g.edges[g.input].elements(), 5);
  one.program->set_images(images.data()), ref.program->set_images(images.data());
  const StepContext step{.training = true, .seed = 3};
  one.program->forward(step), ref.program->forward(step);
  const Routing &a = one.program->routings()[0], &b = ref.program->routings()[0];
  CHECK(a.slot_row == b.slot_row);
  CHECK(a.slot_weight == b.slot_weight);
  CHECK(a.offset == b.offset);
}
#endif
