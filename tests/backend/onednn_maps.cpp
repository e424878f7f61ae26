// Networks of operations on maps, as segmentation has them: whatever lies around them, in blocks or in plain order,
// everything equals the reference in double. One operation at a time: onednn_planes.cpp.
#if MOECNN_HAS_ONEDNN
#include "graph/random_graphs.hpp"
#include "onednn_compare.hpp"

using namespace moecnn;
using namespace onednn_test;

namespace {

constexpr ConvOpts k3{.kernel = 3, .pad = 1}, k3s2{.kernel = 3, .stride = 2, .pad = 1};
constexpr ConvTransposeOpts up2{.kernel = 2, .stride = 2, .bias = true}, up3{.kernel = 3, .stride = 2, .pad = 1};

/// ENet's and U-Net's ways: down with indices and up again, skips that are concatenated.
struct DownAndUp {
  static constexpr int in = 3;
  Value<5> wire(Recorder& g, Value<3> x) const {
    const auto stem = g("act0", PRelu<20>{}, g("bn0", BatchNorm<20>{}, g("stem", Conv<3, 20, k3>{}, x)));
    const auto half = g.concat(g("down", Conv<20, 12, k3s2>{}, stem), g.max_pool(x, k3_pool));
    const auto y = g.relu(g("bn1", BatchNorm<15>{}, half));
    const auto where = g.max_pool_indices(y, {});
    const auto quarter = g("mid", Conv<15, 15, k3>{}, g.spatial_dropout(g.max_pool(y, {}), 0.2));
    const auto back = g.max_unpool(quarter, where, g.size(y));
    const auto up = g("up", ConvTranspose<15, 20, up3>{}, g.add(back, y), g.size(stem));
    return g("head", Conv<40, 5, ConvOpts{.bias = true}>{}, g.concat(stem, up));
  }
  static constexpr ops::MaxPool k3_pool{.kernel = 3, .stride = 2, .pad = 1};
};

/// LR-ASPP's, PSPNet's and DeepLab's ways: squeeze-and-excitation, pyramids of pools, resizing to the size of a skip.
struct Pyramid {
  static constexpr int in = 3;
  Value<7> wire(Recorder& g, Value<3> x) const {
    const auto a = g.hard_swish(g("bn", BatchNorm<24>{}, g("stem", Conv<3, 24, k3s2>{}, x)));
    const auto squeezed = g.relu(g("fc1", Conv<24, 8, ConvOpts{.bias = true}>{}, g.global_avg_pool(a)));
    const auto b = g.scale(a, g.hard_sigmoid(g("fc2", Conv<8, 24, ConvOpts{.bias = true}>{}, squeezed)));
    const auto bins = g("bin", Conv<24, 6>{}, g.adaptive_avg_pool(b, {2, 3}));
    const auto image = g("image", Conv<24, 6>{}, g.avg_pool(b, {.kernel = 3, .stride = 2, .pad = 1}));
    const auto all = g.concat(b, g.resize(bins, g.size(b), {.align_corners = true}), g.resize(image, g.size(b)));
    const auto y = g("cls", Conv<36, 7, k3>{}, g.dropout(all, 0.3));
    return g.crop_or_pad(g.resize(g.scale(y, g.sigmoid(g.global_avg_pool(y))), g.size(x)), {9, 12}, 1, -1);
  }
};

/// A convolution in patches, and a mixture of convolutions in patches.
struct Patches {
  static constexpr int in = 3;
  Value<20> wire(Recorder& g, Value<3> x) const {
    const auto a = g.relu(g("stem", Conv<3, 20, k3>{}, x));
    const auto grid = PatchGrid::of_count(g.size(a), 3, 1);
    const auto b = g.from_patches(g("conv", Conv<20, 20, ConvOpts{.kernel = 3}>{}, g.to_patches(a, grid)), grid);
    const mixture_test::Choice choice{.experts = 3, .router = mixture_test::top(2)};
    return g.from_patches(g("mix", mixture_test::mixture<Conv<20, 20, ConvOpts{.kernel = 3, .bias = true}>>(choice),
                            g.to_patches(b, grid)),
                          grid);
  }
};

/// Arithmetic between convolutions, whose channels fill no block, and inside an expert.
struct Squares {
  static constexpr int in = 20, out = 20;
  Value<20> wire(Recorder& g, Value<20> x) const {
    const auto y = g("conv", Conv<20, 20, k3>{}, x);
    return g.times(g.subtract(g.square(y), g.multiply(y, x)), 0.25);
  }
};
struct Arithmetic {
  static constexpr int in = 3;
  Value<20> wire(Recorder& g, Value<3> x) const {
    const auto a = g("squares", Squares{}, g("stem", Conv<3, 20, k3>{}, g.times(g.square(x), 0.5)));
    return g("mix", mixture_test::mixture<Squares>({.experts = 3, .router = mixture_test::top(2)}), a);
  }
};

}  // namespace

TEST_CASE("onednn: differences, products and multiples equal the reference, in blocks, in plain order and in experts") {
  compare(Arithmetic{}, {3, 6, 7}, {.tolerance = 1e-4});
  compare(Arithmetic{}, {3, 6, 7}, {.training = false, .fold = true});
}

TEST_CASE("onednn: networks that go down and up again equal the reference") {
  compare(DownAndUp{}, {2, 11, 14}, {.tolerance = 1e-4});
  compare(DownAndUp{}, {2, 16, 16}, {.fuse = false, .tolerance = 1e-4});
  compare(DownAndUp{}, {2, 12, 10}, {.training = false, .fold = true});
}

TEST_CASE("onednn: pyramids of pools, scales and sizes equal the reference") {
  compare(Pyramid{}, {3, 12, 17}, {.tolerance = 1e-4});
  compare(Pyramid{}, {2, 13, 13}, {.training = false, .fold = true});
}

TEST_CASE("onednn: convolutions in patches equal the reference, alone and as experts") {
  compare(Patches{}, {2, 11, 14}, {.tolerance = 1e-4});
  compare(Patches{}, {2, 12, 9}, {.training = false, .fold = true});
}

TEST_CASE("onednn: losses per pixel equal the reference") {
  Graph g = record(Pyramid{}, {2, 12, 17});
  Recorder r(g);
  const int logits = g.outputs[0];
  r.cross_entropy(logits, {.ignore = 255, .class_weights = {1, 2, 3, 4, 5, 6, 7}});
  r.cross_entropy(logits, {.ignore = 255, .factor = 0.4});
  CHECK(test::check_graph_parity<backend::OneDnn>(g) == "");
  for (const Extent images : {Extent{2, 41, 43}, Extent{1, 16, 64}, Extent{5, 1, 1}}) {  // many runs of pixels, few
    Graph many = record(Conv<3, 19, ConvOpts{.bias = true}>{}, images);
    Recorder(many).cross_entropy(many.outputs[0], {.ignore = 18});
    CHECK(test::check_graph_parity<backend::OneDnn>(many) == "");
  }
}
#endif
