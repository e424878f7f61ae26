// Operations on maps between two convolutions, where maps lie in blocks of channels, and behind the images, where they
// do not: values and gradients are the reference's, padding stays zero, gradients are written and added to.
#if MOECNN_HAS_ONEDNN
#include "graph/random_graphs.hpp"
#include "moecnn/layer/prelu.hpp"
#include "onednn_compare.hpp"

#include <omp.h>

using namespace moecnn;
using namespace onednn_test;

namespace {

constexpr ConvOpts biased{.kernel = 3, .pad = 1, .bias = true};

/// `op` of a map in blocks, with another reader of the map before or behind it in the backward pass, and of the images.
template <int C, class F>
struct Between {
  static constexpr int in = 3;
  F op;
  bool adds;

  Value<8> wire(Recorder& g, Value<3> image) const {
    const auto x = g("stem", Conv<3, C, biased>{}, image);
    const auto other = [&](const char* name) { return g.global_avg_pool(g(name, Conv<C, 8>{}, x)); };
    const auto mean = [&](const char* name, auto y) {
      return g.global_avg_pool(g(name, Conv<decltype(y)::channels, 8, biased>{}, y));
    };
    const auto before = adds ? Value<8>{} : other("before");
    const auto within = [&](const char* name, auto map) {
      const auto scope = g.scope(name);
      return mean("head", op(g, map));
    };
    const auto sum = g.add(within("blocks", x), within("plain", image));
    return g.add(sum, adds ? other("behind") : before);
  }
};

/// The names of tensors that differ, or "".
template <int C, class F>
std::string check_op(F op, Extent images) {
  std::string wrong;
  for (const bool adds : {false, true}) {
    const Graph g = record(Between<C, F>{op, adds}, images);
    // Of gradients of biases, which oneDNN sums in float, in another order on every CPU and with every number of threads:
    // one after the other at worst, with an error of half an ulp each.
    long long most = 0;
    for (const Edge& e : g.edges) most = std::max(most, e.extent.n * e.extent.pixels());
    const double tolerance = std::max(1e-4, 0x1p-24 * static_cast<double>(most));
    const auto blocked = onednn::blocked_edges(g);
    if (!blocked[g.find_edge("stem")]) wrong += "plain ";
    // Every value and every gradient that the convolutions' weights get tells of the operation's.
    wrong += test::check_graph_parity<backend::OneDnn>(g, {.tolerance = tolerance});
    // Nothing but zeros beyond the last channel, also where no convolution would notice.
    std::vector<int> all;
    for (const Node& n : g.nodes) all.push_back(n.output);
    Side<backend::OneDnn> one(g, {.training = true, .input_grad = true, .seeds = g.outputs, .keep = all});
    one.randomise();
    one.program->set_images(random_values<float>(g.edges[g.input].elements(), 7).data());
    one.program->forward({.training = true});
    for (const int e : all)
      check_padding(one.program->lowered().value_layout[e].get(), one.program->value_data(e), g.edges[e].elements());
  }
  return wrong;
}

/// With channels that fill blocks, do not fill them, and are fewer than one block has.
template <class F>
void check_channels(F op) {
  CHECK(check_op<16>(op, {2, 9, 12}) == "");
  CHECK(check_op<37>(op, {3, 7, 5}) == "");
  CHECK(check_op<5>(op, {2, 8, 11}) == "");
}

}  // namespace

TEST_CASE("onednn: curves in blocks") {
  for (const auto curve : {ops::Curve::sigmoid, ops::Curve::hard_sigmoid, ops::Curve::hard_swish})
    check_channels([=](Recorder& g, auto x) { return g.activation(x, curve); });
}

TEST_CASE("onednn: slopes of PReLU in blocks, one and one per channel") {
  check_channels([](Recorder& g, auto x) { return g("act", PRelu<decltype(x)::channels>{}, x); });
  check_channels([](Recorder& g, auto x) { return g("act", PRelu<decltype(x)::channels, Slopes::per_channel>{}, x); });
}

TEST_CASE("onednn: dropout in blocks drops what the reference drops") {
  for (const double p : {0.1, 0.5}) {
    check_channels([=](Recorder& g, auto x) { return g.dropout(x, p); });
    check_channels([=](Recorder& g, auto x) { return g.spatial_dropout(x, p); });
  }
  CHECK(check_op<20>([](Recorder& g, auto x) { return g.dropout(x, 0.3); }, {1, 40, 33}) == "");
}

TEST_CASE("onednn: channels times numbers of their row, in either order") {
  check_channels([](Recorder& g, auto x) { return g.scale(x, g.sigmoid(g.global_avg_pool(x))); });
  check_channels([](Recorder& g, auto x) {
    constexpr int c = decltype(x)::channels;
    return g.scale(x, g.hard_sigmoid(g("squeeze", Conv<c, c>{}, g.global_avg_pool(x))));
  });
}

TEST_CASE("onednn: channels of any number next to each other, and parts of them") {
  check_channels([](Recorder& g, auto x) {
    constexpr int c = decltype(x)::channels;
    return g.concat(x, g("five", Conv<c, 5>{}, x), g("three", Conv<c, 3>{}, x), g("forty", Conv<c, 40>{}, x));
  });
  check_channels([](Recorder& g, auto x) { return g.concat(x, x); });
  check_channels([](Recorder& g, auto x) {
    constexpr int c = decltype(x)::channels;
    return g.concat(g.template slice<c - 1>(x, 1), g.template slice<2>(x), x);
  });
  check_channels([](Recorder& g, auto x) { return g.template slice<2>(x, 1); });
  // Values that come from the images are in plain order.
  const auto mixed = [](Recorder& g, auto x) {
    const ops::MaxPool window{.kernel = 3, .stride = 1, .pad = 1};
    return g.concat(g("conv", Conv<decltype(x)::channels, 13>{}, x), g.max_pool(x, window));
  };
  check_channels(mixed);
  CHECK(check_op<20>(mixed, {1, 30, 33}) == "");  // more pixels than one tile has
}

TEST_CASE("onednn: windows of maps in blocks") {
  for (const Extent w : {Extent{1, 5, 3}, Extent{1, 14, 17}, Extent{1, 3, 20}})
    for (const int by : {-2, 0, 1})
      check_channels([=](Recorder& g, auto x) { return g.crop_or_pad(x, {w.h, w.w}, by, -by); });
}

TEST_CASE("onednn: maps in blocks at other sizes") {
  for (const Size2 to : {Size2{9, 4}, Size2{1, 1}, Size2{3, 11}, Size2{25, 31}, Size2{40, 130}})
    for (const ops::Resize how :
         {ops::Resize{}, ops::Resize{.align_corners = true}, ops::Resize{.mode = ops::Sampling::nearest}})
      check_channels([=](Recorder& g, auto x) { return g.resize(x, to, how); });
}

TEST_CASE("onednn: means of maps in blocks") {
  for (const Size2 bins : {Size2{1}, Size2{2, 3}, Size2{6, 5}, Size2{9, 4}})
    check_channels([=](Recorder& g, auto x) { return g.adaptive_avg_pool(x, bins); });
  for (const bool count_pad : {true, false})
    check_channels([=](Recorder& g, auto x) {
      return g.avg_pool(x, {.kernel = {2, 3}, .stride = {3, 1}, .pad = {0, 1}, .count_pad = count_pad});
    });
}

TEST_CASE("onednn: largest values of maps in blocks, and the way back") {
  for (const ops::MaxPool window : {ops::MaxPool{}, ops::MaxPool{.kernel = 3, .stride = {3, 4}, .pad = 1}})
    check_channels([=](Recorder& g, auto x) {
      const auto where = g.max_pool_indices(x, window);
      const auto y = g.max_pool(x, window);
      return g.max_unpool(g.add(y, y), where, g.size(x));
    });
}

TEST_CASE("onednn: results and gradients of maps do not depend on the number of threads") {
  const auto everything = [](Recorder& g, auto x) {
    const auto a = g("act", PRelu<decltype(x)::channels>{}, g.hard_swish(g.dropout(x, 0.2)));
    const auto b = g.max_unpool(g.max_pool(a, {}), g.max_pool_indices(a, {}), g.size(a));
    const auto c = g.resize(g.adaptive_avg_pool(g.scale(b, g.global_avg_pool(b)), {3, 5}), g.size(a));
    return g.crop_or_pad(g.concat(a, c), {45, 45}, -1, -2);
  };
  const Graph g = record(Between<21, decltype(everything)>{everything, true}, {2, 41, 43});
  const auto run = [&](int threads) {
    const int before = omp_get_max_threads();
    omp_set_num_threads(threads);
    Side<backend::OneDnn> one(g, {.training = true, .input_grad = true, .seeds = g.outputs});
    one.randomise();
    one.program->set_images(random_values<float>(g.edges[g.input].elements(), 7).data());
    one.program->forward({.training = true});
    one.program->seed(g.outputs[0], random_values<float>(g.edges[g.outputs[0]].elements(), 8).data());
    one.program->backward({.training = true});
    omp_set_num_threads(before);
    std::vector<std::vector<float>> all{one.program->read<float>(g.outputs[0]), one.input_gradient()};
    for (int i = 0; i < one.store.size(); ++i) all.push_back(one.gradient(i));
    return all;
  };
  const auto one = run(1), three = run(3);
  CHECK(one[0] == three[0]);
  for (std::size_t i = 1; i < one.size(); ++i) CHECK(distance(one[i], three[i]) < 1e-4);  // convolutions may differ
}
#endif
