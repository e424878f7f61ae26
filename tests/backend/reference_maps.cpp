// The operations on maps that have no parameters: gradients against central differences, and what differences do not show.
// Equality with PyTorch is in reference_golden.cpp.
#include "check_layer.hpp"
#include "moecnn/layer/conv.hpp"

#include <doctest/doctest.h>
#include <omp.h>

using namespace moecnn;
using test::check_layer;

namespace {

/// Any function of a recorder and a map as a layer.
template <int In, int Out, class F>
struct Verb {
  static constexpr int in = In, out = Out;
  F wire_it;
  Value<Out> wire(Recorder& g, Value<In> x) const { return wire_it(g, x); }
};
template <int In, int Out = In, class F>
Verb<In, Out, F> verb(F f) {
  return {f};
}

Extent result_of(const Graph& g) { return g.edges[g.outputs[0]].extent; }

/// Runs a graph once in double.
struct Once {
  test::Rig<backend::Reference<double>> rig;
  Program& program;
  test::Batch batch;
  explicit Once(const Graph& g) : program(rig.add_training(g)), batch(test::random_batch(g, 1)) {}
  std::vector<double> operator()(const StepContext& step) {
    return test::run(rig, program, batch, step, test::Backward::no).result;
  }
};

}  // namespace

TEST_CASE("pooling: gradients of means and of unpooled maxima") {
  for (const bool count_pad : {true, false}) {
    CHECK(check_layer(verb<2>([=](Recorder& g, Value<2> x) {
                        return g.avg_pool(x, {.kernel = 3, .stride = 2, .pad = 1, .count_pad = count_pad});
                      }),
                      {2, 7, 6}) == "");
    CHECK(
        check_layer(verb<2>([=](Recorder& g, Value<2> x) {
                      return g.avg_pool(x, {.kernel = {2, 3}, .stride = {3, 1}, .pad = {0, 1}, .count_pad = count_pad});
                    }),
                    {2, 6, 5}) == "");
  }
  for (const Size2 bins : {Size2{1}, Size2{2, 3}, Size2{6, 5}, Size2{9, 4}})
    CHECK(check_layer(verb<2>([=](Recorder& g, Value<2> x) { return g.adaptive_avg_pool(x, bins); }), {2, 7, 5}) == "");
  for (const Extent images : {Extent{2, 4, 6}, Extent{2, 5, 7}}) {
    const auto unpooled = verb<2>([](Recorder& g, Value<2> x) {
      const auto where = g.max_pool_indices(x, {});
      return g.max_unpool(g.add(g.max_pool(x, {}), g.max_pool(x, {})), where, g.size(x));
    });
    CHECK(check_layer(unpooled, images) == "");
  }
}

TEST_CASE("unpooling: values go where they were found, all else is zero") {
  const Graph g = record(verb<1>([](Recorder& r, Value<1> x) {
                           return r.max_unpool(r.max_pool(x, {}), r.max_pool_indices(x, {}), r.size(x));
                         }),
                         {1, 4, 5});
  Once once(g);
  once.batch.images = {1, 2, 9, 4, 0, 3, 5, 6, 7, 0, -1, -2, 8, 8, 0, -3, -4, 8, 8, 0};
  CHECK(once({}) == std::vector<double>{0, 0, 9, 0, 0, 0, 5, 0, 0, 0, -1, 0, 8, 0, 0, 0, 0, 0, 0, 0});
}

TEST_CASE("resize: gradients up and down, in both modes, to one pixel and to the same size") {
  for (const Size2 to : {Size2{9, 4}, Size2{1, 1}, Size2{3, 11}, Size2{10, 12}, Size2{5, 6}})
    for (const ops::Resize how :
         {ops::Resize{}, ops::Resize{.align_corners = true}, ops::Resize{.mode = ops::Sampling::nearest}}) {
      const auto layer = verb<2>([=](Recorder& g, Value<2> x) { return g.resize(g.relu(x), to, how); });
      CHECK(check_layer(layer, {2, 5, 6}) == "");
      CHECK(result_of(record(layer, {2, 5, 6})) == Extent{2, to.h, to.w});
    }
  CHECK(check_layer(verb<2>([](Recorder& g, Value<2> x) { return g.resize(x, {3, 4}); }), {1, 1, 1}) == "");
}

TEST_CASE("crop_or_pad: gradients of crops, of pads and of both, and of windows that see nothing") {
  const auto window = [](Size2 to, int top, int left) {
    return verb<2>([=](Recorder& g, Value<2> x) { return g.crop_or_pad(x, to, top, left); });
  };
  CHECK(check_layer(window({3, 2}, 1, 2), {2, 5, 4}) == "");
  CHECK(check_layer(window({8, 9}, -1, -3), {2, 5, 4}) == "");
  CHECK(check_layer(window({4, 3}, 3, -2), {2, 5, 4}) == "");
  CHECK(check_layer(window({7, 6}, 0, 0), {2, 5, 4}) == "");
  CHECK(check_layer(window({2, 2}, 0, 4), {1, 3, 3}) == "");  // beyond the map: zeros
  CHECK(check_layer(verb<2>([](Recorder& g, Value<2> x) { return g.pad_around(x, {8, 3}); }), {2, 5, 4}) == "");

  const Graph g = record(verb<1>([](Recorder& r, Value<1> x) { return r.pad_around(x, {3, 5}); }), {1, 2, 2});
  Once once(g);
  once.batch.images = {1, 2, 3, 4};
  CHECK(once({}) == std::vector<double>{0, 1, 2, 0, 0, 0, 3, 4, 0, 0, 0, 0, 0, 0, 0});
}

TEST_CASE("concat, slice and scale: gradients, also of values that come twice") {
  CHECK(check_layer(verb<3, 8>([](Recorder& g, Value<3> x) { return g.concat(g.relu(x), x, g.slice<2>(x, 1)); }),
                    {2, 3, 4}) == "");
  CHECK(check_layer(verb<2, 4>([](Recorder& g, Value<2> x) { return g.concat(x, x); }), {2, 3, 4}) == "");
  CHECK(check_layer(verb<2>([](Recorder& g, Value<2> x) { return g.concat(x); }), {2, 3, 4}) == "");
  CHECK(check_layer(verb<4, 1>([](Recorder& g, Value<4> x) { return g.slice<1>(x, 3); }), {3, 2, 2}) == "");
  CHECK(check_layer(verb<3>([](Recorder& g, Value<3> x) {
                      return g.scale(x, g.sigmoid(g("fc", Conv<3, 3, ConvOpts{.bias = true}>{}, g.global_avg_pool(x))));
                    }),
                    {2, 3, 4}) == "");
  CHECK(check_layer(verb<3>([](Recorder& g, Value<3> x) { return g.scale(x, x); }), {2, 1, 1}) == "");
}

TEST_CASE("arithmetic: values, and gradients of differences, products, squares and multiples") {
  using Maps = Value<3>;
  CHECK(check_layer(verb<3>([](Recorder& g, Maps x) { return g.subtract(g.relu(x), x); }), {2, 3, 4}) == "");
  CHECK(check_layer(verb<3>([](Recorder& g, Maps x) { return g.subtract(x, g.relu(x)); }), {2, 3, 4}) == "");
  CHECK(check_layer(verb<3>([](Recorder& g, Maps x) { return g.subtract(x, x); }), {2, 3, 4}) == "");
  CHECK(check_layer(verb<3>([](Recorder& g, Maps x) { return g.multiply(g.sigmoid(x), x); }), {2, 3, 4}) == "");
  CHECK(check_layer(verb<3>([](Recorder& g, Maps x) { return g.square(x); }), {2, 3, 4}) == "");
  CHECK(check_layer(verb<3>([](Recorder& g, Maps x) { return g.square(g.square(x)); }), {2, 3, 4}) == "");
  CHECK(check_layer(verb<3>([](Recorder& g, Maps x) { return g.times(g.add(x, x), -0.3); }), {2, 3, 4}) == "");

  const auto of = [](const auto& layer) {
    Once once(record(layer, {1, 1, 1}));
    once.batch.images = {2, -3};
    once.batch.c = {1, 1};
    return once({});
  };
  using Pair = Value<2>;
  CHECK(of(verb<2>([](Recorder& g, Pair x) { return g.subtract(g.relu(x), x); })) == std::vector<double>{0, 3});
  CHECK(of(verb<2>([](Recorder& g, Pair x) { return g.multiply(g.relu(x), x); })) == std::vector<double>{4, 0});
  CHECK(of(verb<2>([](Recorder& g, Pair x) { return g.square(x); })) == std::vector<double>{4, 9});
  CHECK(of(verb<2>([](Recorder& g, Pair x) { return g.times(x, 0.5); })) == std::vector<double>{1, -1.5});
}

TEST_CASE("activations: gradients and the places where their slopes change") {
  for (const auto curve : {ops::Curve::sigmoid, ops::Curve::hard_sigmoid, ops::Curve::hard_swish}) {
    CHECK(check_layer(verb<3>([=](Recorder& g, Value<3> x) { return g.activation(x, curve); }), {4, 5, 6}) == "");
    const Graph g = record(verb<1>([=](Recorder& r, Value<1> x) { return r.activation(x, curve); }), {1, 1, 3});
    Once once(g);
    once.batch.images = {-1000, 1000, std::nan("")};
    once.batch.c = {1, 1, 1};
    const auto y = once({});
    CHECK(y[0] == 0);
    CHECK(y[1] == (curve == ops::Curve::hard_swish ? 1000 : 1));
    CHECK(std::isnan(y[2]));
  }
}

TEST_CASE("patches: cut and put together again, with gradients, for maps that divide and maps that do not") {
  for (const Size2 grid : {Size2{1}, Size2{2, 3}, Size2{3}, Size2{4, 5}})
    for (const Size2 halo : {Size2{0}, Size2{1}, Size2{0, 2}, Size2{3, 1}}) {
      const auto cut =
          verb<2>([=](Recorder& g, Value<2> x) { return g.to_patches(x, PatchGrid::of_count(g.size(x), grid, halo)); });
      CHECK(check_layer(cut, {2, 6, 5}, {.elements = 2}) == "");
      const auto back = verb<2>([=](Recorder& g, Value<2> x) {
        const auto whole = PatchGrid::of_count(g.size(x), grid, halo);
        const auto patches = g.relu(g.to_patches(x, whole));
        return g.from_patches(g.crop_or_pad(patches, whole.patch, halo.h, halo.w), whole);
      });
      CHECK(check_layer(back, {2, 6, 5}, {.elements = 2}) == "");
      // The way there and back is the identity, ReLU aside.
      Once round(record(back, {2, 6, 5})),
          plain(record(verb<2>([](Recorder& g, Value<2> x) { return g.relu(x); }), {2, 6, 5}));
      CHECK(round({}) == plain({}));
    }
  CHECK(check_layer(verb<2>([](Recorder& g, Value<2> x) {
                      const auto whole = PatchGrid::of_size(g.size(x), {4, 9}, 1);
                      return g.to_patches(x, whole);
                    }),
                    {2, 6, 5}) == "");
}

namespace {

struct Patched {
  static constexpr int in = 2;
  Size2 grid = 1;
  Value<3> wire(Recorder& g, Value<2> x) const {
    if (grid == Size2(1))
      return g("conv", Conv<2, 3, ConvOpts{.kernel = {3, 5}, .pad = {2, 2}, .dilation = {2, 1}}>{}, x);
    const auto cut = PatchGrid::of_count(g.size(x), grid, {2, 2});
    return g.from_patches(g("conv", Conv<2, 3, ConvOpts{.kernel = {3, 5}, .dilation = {2, 1}}>{}, g.to_patches(x, cut)),
                          cut);
  }
};

}  // namespace

TEST_CASE("patches: an unpadded convolution of patches with a halo is the padded one of the map") {
  const Extent images{2, 7, 10};
  const auto outcome = [&](Size2 grid) {
    const Graph g = record(Patched{grid}, images);
    test::Rig<backend::Reference<double>> rig;
    auto& program = rig.add_training(g);
    test::fill(rig.store, 3);
    return test::run(rig, program, test::random_batch(g, 3), {.training = true});
  };
  const auto plain = outcome(1);
  for (const Size2 grid : {Size2{2}, Size2{3, 4}, Size2{7, 10}}) {
    const auto patched = outcome(grid);
    CHECK(test::distance(patched.result, plain.result) < 1e-14);
    CHECK(test::distance(patched.input_grad, plain.input_grad) < 1e-14);
    CHECK(test::distance(patched.param_grad[0], plain.param_grad[0]) < 1e-14);
  }
}

TEST_CASE("dropout: gradients, and evaluation or switched-off noise change nothing") {
  for (const bool spatial : {false, true}) {
    const auto layer =
        verb<3>([=](Recorder& g, Value<3> x) { return spatial ? g.spatial_dropout(x, 0.4) : g.dropout(x, 0.4); });
    CHECK(check_layer(layer, {3, 4, 5}) == "");
    Once once(record(layer, {3, 4, 5}));
    CHECK(once({}) == once.batch.images);
    CHECK(once({.training = true, .noise_off = true}) == once.batch.images);
    CHECK(once({.training = true}) != once.batch.images);
  }
  const Graph none = record(verb<3>([](Recorder& g, Value<3> x) { return g.dropout(x, 0); }), {1, 2, 2});
  CHECK(none.nodes.size() == 1);
}

TEST_CASE("dropout: the share that is kept, the growth, whole channels, and the masks of nodes") {
  const auto dropped = [](bool spatial, const StepContext& step, const char* name = "d") {
    const Graph g = record(verb<50>([=](Recorder& r, Value<50> x) {
                             const auto scope = r.scope(name);
                             return spatial ? r.spatial_dropout(x, 0.25) : r.dropout(x, 0.25);
                           }),
                           {20, 4, 3});
    Once once(g);
    std::fill(once.batch.images.begin(), once.batch.images.end(), 3.0);
    return once(step);
  };
  for (const bool spatial : {false, true}) {
    const auto y = dropped(spatial, {.training = true});
    const auto zeros = static_cast<double>(std::count(y.begin(), y.end(), 0.0));
    CHECK(std::count(y.begin(), y.end(), 4.0) + static_cast<long>(zeros) == static_cast<long>(y.size()));
    CHECK(zeros / static_cast<double>(y.size()) == doctest::Approx(0.25).epsilon(spatial ? 0.15 : 0.05));
    int mixed = 0;
    for (std::size_t plane = 0; plane < y.size(); plane += 12) {
      const auto n = std::count(y.begin() + static_cast<long>(plane), y.begin() + static_cast<long>(plane) + 12, 0.0);
      mixed += n != 0 && n != 12;
    }
    CHECK((mixed == 0) == spatial);
    CHECK(dropped(spatial, {.training = true}) == y);
    CHECK(dropped(spatial, {.training = true, .step = 1}) != y);
    CHECK(dropped(spatial, {.training = true, .seed = 1}) != y);
    CHECK(dropped(spatial, {.training = true}, "e") != y);
  }
  // Two of one name have masks of their own.
  const Graph g = record(verb<8>([](Recorder& r, Value<8> x) { return r.dropout(r.dropout(x, 0.5), 0.5); }), {2, 8, 8});
  Once once(g);
  const auto y = once({.training = true});
  CHECK(static_cast<double>(std::count(y.begin(), y.end(), 0.0)) / static_cast<double>(y.size()) ==
        doctest::Approx(0.75).epsilon(0.05));
}

TEST_CASE("random scores: normal, new in every step, in evaluation too, and no gradient passes") {
  const Graph g =
      record(verb<3, 400>([](Recorder& r, Value<3> x) { return Value<400>{r.random_logits<400>(x).edge}; }), {5, 2, 2});
  Once once(g);
  const auto y = once({});
  double mean = 0, square = 0;
  for (double v : y) {
    const double x = v / ops::RandomScores::scale;
    mean += x / 2000;
    square += x * x / 2000;
    CHECK(std::exp(v) == 1);  // a softmax sees no difference
  }
  CHECK(std::abs(mean) < 0.1);
  CHECK(square == doctest::Approx(1).epsilon(0.1));
  CHECK(once({}) == y);
  CHECK(once({.training = true}) == y);
  CHECK(once({.step = 1}) != y);
  CHECK(once({.seed = 1}) != y);
  CHECK(once.program.flow().edge_grad[g.input] == 0);
}

namespace {

/// Logits per pixel from two heads; the second is the auxiliary one.
Graph with_losses(Extent images, const LossOpts& first, double second) {
  const auto net = verb<3, 5>([](Recorder& g, Value<3> x) {
    const auto a = g("a", Conv<3, 4, ConvOpts{.kernel = 3, .pad = 1}>{}, x);
    g("aux", Conv<4, 5, ConvOpts{.bias = true}>{}, a);
    return g("head", Conv<4, 5, ConvOpts{.bias = true}>{}, g.relu(a));
  });
  Graph g = record(net, images);
  Recorder r(g);
  g.outputs.push_back(r.cross_entropy(g.outputs[0], first));
  if (second != 0) {
    LossOpts other = first;
    other.factor = second;
    r.cross_entropy(g.find_edge("aux"), other);
  }
  return g;
}

}  // namespace

TEST_CASE("cross-entropy per pixel: gradients with ignored labels, class weights and an auxiliary head") {
  const std::vector<double> weights{1, 0.5, 2, 0, 3};
  for (const double aux : {0.0, 0.4})
    for (const int ignore : {-1, 255, 2})
      for (const auto& w : {std::vector<double>{}, weights}) {
        const LossOpts opts{.ignore = ignore, .class_weights = w, .factor = 0.7};
        CHECK(test::check_graph(with_losses({2, 3, 4}, opts, aux), {.inference = false}) == "");
      }
}

TEST_CASE("cross-entropy per pixel: the loss is the sum of factors times means, and the means can be read") {
  Once once(with_losses({2, 20, 30}, {.ignore = 255, .factor = 2}, 0.25));
  test::fill(once.rig.store, 1);
  once({.training = true});
  const auto parts = once.program.losses();
  REQUIRE(parts.size() == 2);
  CHECK(parts[0].mean != parts[1].mean);
  CHECK(once.program.loss() == 2 * parts[0].mean + 0.25 * parts[1].mean);
  CHECK(parts[0].counted == 960);  // a fifth is ignored
  CHECK(parts[0].weight == 960);
}

TEST_CASE("cross-entropy per pixel: with all labels ignored, loss and gradients are 0") {
  const Graph g = with_losses({2, 3, 4}, {.ignore = 255}, 0.4);
  Once once(g);
  std::fill(once.batch.labels.begin(), once.batch.labels.end(), 255);
  const auto out = test::run(once.rig, once.program, once.batch, {.training = true});
  CHECK(out.loss == 0);
  for (const auto& v : out.param_grad) CHECK(test::norm(v) == 0);
  CHECK(test::norm(out.input_grad) == 0);
}

TEST_CASE("cross-entropy per pixel: the same bits with any number of threads") {
  const Graph g = with_losses({2, 60, 70}, {.ignore = 255, .class_weights = {1, 2, 3, 4, 5}}, 0.4);
  Once once(g);
  const auto run = [&](int threads) {
    const int before = omp_get_max_threads();
    omp_set_num_threads(threads);
    auto out = test::run(once.rig, once.program, once.batch, {.training = true});
    omp_set_num_threads(before);
    return out;
  };
  const auto one = run(1);
  CHECK(test::identical(one, run(2)));
  CHECK(test::identical(one, run(7)));
}

TEST_CASE("cross-entropy per pixel: labels that are no class, and losses of different sizes, are refused") {
  Once once(with_losses({2, 2, 3}, {.ignore = 255}, 0));
  once.batch.labels[8] = 5;
  CHECK_THROWS_WITH_AS(
      once({}),
      "image 1 of a batch has label 5, but the network has 5 classes (from 0) and ignores 255; it is that of pixel 2",
      Error);
  Graph g = with_losses({2, 2, 3}, {}, 0);
  Recorder r(g);
  CHECK_THROWS_WITH_AS(r.cross_entropy(r.global_avg_pool(Value<5>{g.outputs[0]}).edge),
                       "the target \"labels\" is wanted as 2x1x2x3 by one loss and as 2x1x1x1 by another; resize the "
                       "values of all losses to one size, or give the targets different names",
                       Error);
  CHECK_THROWS_AS(r.cross_entropy(g.outputs[0], {.class_weights = {1, 2}}), Error);
}

TEST_CASE("cross-entropy with label smoothing: gradients, and the mean as PyTorch defines it") {
  const std::vector<double> weights{1, 0.5, 2, 0, 3};
  for (const auto& w : {std::vector<double>{}, weights})
    for (const int ignore : {-1, 255}) {
      const LossOpts opts{.ignore = ignore, .class_weights = w, .factor = 0.7, .label_smoothing = 0.1};
      CHECK(test::check_graph(with_losses({2, 3, 4}, opts, 0.4), {.inference = false}) == "");
      Graph g = with_losses({2, 3, 4}, opts, 0);
      Once once(g);
      test::fill(once.rig.store, 1);
      const auto z = once({.training = true});  // [2, 5, 12]
      double sum = 0, all = 0;
      for (int i = 0; i < 24; ++i) {
        const int label = once.batch.labels[static_cast<std::size_t>(i)];
        if (label == ignore) continue;
        const auto logit = [&](int c) { return z[static_cast<std::size_t>(i / 12 * 60 + c * 12 + i % 12)]; };
        double log_z = 0;
        for (int c = 0; c < 5; ++c) log_z += std::exp(logit(c));
        log_z = std::log(log_z);
        const auto weight = [&](int c) { return w.empty() ? 1 : w[static_cast<std::size_t>(c)]; };
        sum += 0.9 * weight(label) * (log_z - logit(label));
        for (int c = 0; c < 5; ++c) sum += 0.1 / 5 * weight(c) * (log_z - logit(c));
        all += weight(label);
      }
      CHECK(once.program.losses()[0].mean == doctest::Approx(sum / all).epsilon(1e-12));
      CHECK(once.program.losses()[0].weight == all);
    }
  Graph g = with_losses({1, 2, 2}, {}, 0);
  CHECK_THROWS_AS(Recorder(g).cross_entropy(g.outputs[0], {.label_smoothing = 1}), Error);
}

TEST_CASE(
    "losses count hits: the label has the highest logit, the lower class wins a tie, ignored labels do not count") {
  const auto net =
      verb<2, 3>([](Recorder& g, Value<2> x) { return g("head", Conv<2, 3, ConvOpts{.bias = true}>{}, x); });
  Graph g = record(net, {1, 1, 5});
  Recorder(g).cross_entropy(g.outputs[0], {.ignore = 9});
  Once once(g);
  once.rig.store.initialise(1);
  const std::vector<double> weight{1, 0, 0, 1, 0, 0}, none(3);  // class 0: channel 0, class 1: channel 1, class 2: 0
  once.rig.store.write(once.rig.store.find("head.weight"), weight.data());
  once.rig.store.write(once.rig.store.find("head.bias"), none.data());
  once.batch.images = {3, 1, 2, -1, 4, /**/ 1, 1, 2, -1, 5};
  once.batch.labels = {0, 1, 1, 2, 9};  // right, a tie lost to class 0, the same, right, ignored
  once({.training = true});
  CHECK(once.program.losses()[0].counted == 4);
  CHECK(once.program.losses()[0].hits == 2);
  CHECK(once.program.losses()[0].accuracy() == 0.5);
}

TEST_CASE("binary cross-entropy: gradients, the mean, hits and ignored elements") {
  const auto net = verb<3, 4>([](Recorder& g, Value<3> x) {
    return g("head", Conv<3, 4, ConvOpts{.kernel = 3, .pad = 1, .bias = true}>{}, x);
  });
  for (const auto& w : {std::vector<double>{}, std::vector<double>{1, 2, 0.5, 0}}) {
    Graph g = record(net, {2, 3, 4});
    Recorder r(g);
    r.binary_cross_entropy(g.outputs[0], r.target("tags", {2, 3, 4}, 4), {.class_weights = w, .factor = 0.7});
    CHECK(test::check_graph(g, {.inference = false}) == "");
    Once once(g);
    test::fill(once.rig.store, 1);
    const auto z = once({.training = true});
    const auto& tags = once.batch.targets.at("tags");
    double sum = 0, counted = 0, hits = 0;
    for (std::size_t i = 0; i < z.size(); ++i) {
      if (tags[i] < 0) continue;
      const double p = 1 / (1 + std::exp(-z[i])), positive = w.empty() ? 1 : w[i / 12 % 4];
      sum -= positive * tags[i] * std::log(p) + (1 - tags[i]) * std::log(1 - p);
      counted += 1, hits += (p > 0.5) == (tags[i] > 0.5);
    }
    CHECK(once.program.losses()[0].mean == doctest::Approx(sum / counted).epsilon(1e-12));
    CHECK(once.program.losses()[0].counted == counted);
    CHECK(once.program.losses()[0].hits == hits);
    CHECK(once.program.loss() == 0.7 * once.program.losses()[0].mean);
  }
  Graph g = record(net, {2, 3, 4});
  Recorder r(g);
  CHECK_THROWS_AS(r.binary_cross_entropy(g.outputs[0], r.target("tags", {2, 3, 4}, 3)), Error);
  CHECK_THROWS_AS(r.binary_cross_entropy(g.outputs[0], r.target("labels", {2, 3, 4}, 4, DType::i32)), Error);
}
