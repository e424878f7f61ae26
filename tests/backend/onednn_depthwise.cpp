// Our own depthwise convolutions in blocks of channels against the reference, also where oneDNN's are fast.
#if defined(MOECNN_HAS_ONEDNN)
#include "moe/mixture_nets.hpp"
#include "moecnn/layer/linear.hpp"
#include "onednn_compare.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using namespace onednn_test;

namespace {

/// The oneDNN backend with every depthwise convolution between blocks by DepthwiseKernel.
struct Own : backend::OneDnn {
  std::string title() const override { return "onednn, own depthwise"; }

  template <int B>
  static void replace(Lowered& low, const Graph& g, const Flow& f) {
    const auto blocked = onednn::blocked_edges(g);
    for (int n = 0; n < static_cast<int>(g.nodes.size()); ++n) {
      const Node& node = g.nodes[n];
      const auto* op = std::get_if<ops::Conv>(&node.op);
      if (!op || op->groups == 1 || !blocked[node.inputs[0]] || !blocked[node.output]) continue;
      auto known = std::dynamic_pointer_cast<const onednn::WeightsLayout>(low.param_layout[node.params[0]]);
      low.kernels[n] = std::make_unique<onednn::DepthwiseKernel<B>>(g, f, n, std::move(known));
    }
  }
  Lowered lower(const Graph& g, const Flow& f, const Layouts& given) override {
    auto low = backend::OneDnn::lower(g, f, given);
    onednn::with_channel_block([&](auto block) { replace<block>(low, g, f); });
    return low;
  }
};

int own_kernels(const Lowered& low) {
  const auto names = onednn::implementations(low);
  return static_cast<int>(std::count_if(names.begin(), names.end(),
                                        [](const std::string& n) { return n.ends_with("depthwise by own loops"); }));
}

/// A depthwise convolution of C channels between two others, so that it works on blocks. One without a bias is followed by
/// a batch norm and, where sizes permit, a skip connection, which folding makes a part of it. `again`: its input is read
/// by a second one with the same parameters.
template <int C>
struct Between {
  static constexpr int in = 3;
  ops::Conv op;
  bool again = false;

  Value<4> wire(Recorder& g, Value<3> x) const {
    const auto stem = g("stem", Conv<3, C>{}, x);
    ops::Conv dw = op;
    dw.in = dw.out = dw.groups = C;
    std::vector<int> params{g.param("dw.weight", {C, 1, dw.kernel.h, dw.kernel.w}, Init::kaiming_uniform)};
    if (dw.bias) params.push_back(g.param("dw.bias", {C}, Init::fan_in_uniform, dw.kernel.h * dw.kernel.w));
    const auto apply = [&](int edge) { return Value<C>{g.record(dw, {edge}, C, dw.output(g.extent(stem)), params)}; };
    auto y = apply(stem.edge);
    if (again) y = g.add(y, apply(stem.edge));
    if (!dw.bias) y = g("bn", BatchNorm<C>{}, y);
    if (!dw.bias && g.size(y) == g.size(stem)) y = g.add(y, stem);
    return g("head", Conv<C, 4>{}, g.relu(y));
  }
};

/// Experts that are depthwise convolutions.
struct DepthwiseExperts {
  static constexpr int in = 3;
  using Expert = Conv<20, 20, ConvOpts{.kernel = 5, .pad = 4, .dilation = 2, .groups = 20, .bias = true}>;
  mixture_test::Choice choice;

  Value<6> wire(Recorder& g, Value<3> x) const {
    const auto y = g("layer", mixture_test::mixture<Expert>(choice), g.relu(g("stem", Conv<3, 20>{}, x)));
    return g("head", Conv<20, 6>{}, g.relu(y));
  }
};

/// Depthwise convolutions for which oneDNN has no generated code in one of the passes that run.
int slow_in_onednn(const Graph& g, const Flow& f) {
  int slow = 0;
  for (int n = 0; n < static_cast<int>(g.nodes.size()); ++n)
    if (const auto* conv = std::get_if<ops::Conv>(&g.nodes[n].op); conv && conv->groups > 1)
      slow += onednn::ConvKernel(g, f, n, true, true, nullptr).choice().rank > 0;
  return slow;
}

template <int C>
void check_own(const ops::Conv& op, Extent images, bool again = false) {
  const Graph g = record(Between<C>{op, again}, images);
  INFO(C, " channels, ", images.h, "x", images.w, ", window ", op.kernel.h, "x", op.kernel.w, ", stride ", op.stride.w,
       ", padding ", op.pad.w, ", dilation ", op.dilation.w);
  CHECK(own_kernels(Own().lower(g, analyse(g, true, g.outputs), {})) == (again ? 2 : 1));
  CHECK(test::check_graph_parity<Own>(g, {.tolerance = 1e-4}) == "");
}

}  // namespace

TEST_CASE("onednn: own depthwise convolutions equal the reference for every window") {
  for (const int kernel : {3, 5})
    for (const int stride : {1, 2})
      for (const int dilation : {1, 2, 4})
        for (const int pad : {0, kernel / 2 * dilation, kernel / 2 * dilation + 1}) {
          ops::Conv op{.kernel = kernel, .stride = stride, .pad = pad, .dilation = dilation};
          op.bias = pad > kernel / 2 * dilation;
          check_own<20>(op, {2, 18, 21});
        }
}

TEST_CASE("onednn: own depthwise convolutions equal the reference for windows and maps of any shape") {
  check_own<16>({.kernel = {1, 7}, .pad = {0, 3}}, {1, 3, 40});
  check_own<16>({.kernel = {7, 1}, .pad = {3, 0}, .bias = true}, {1, 5, 3});
  check_own<5>({.kernel = {9, 10}, .stride = {1, 2}, .pad = {4, 5}}, {2, 9, 13});
  check_own<8>({.kernel = {2, 4}, .stride = {3, 1}, .pad = {1, 2}, .dilation = {1, 3}}, {2, 10, 11});
  check_own<40>({.kernel = 2, .stride = 3}, {2, 9, 10});  // pixels that no window reads
  check_own<24>({.kernel = 1, .stride = 2, .bias = true}, {3, 5, 6});
  check_own<33>({.kernel = 5, .pad = 2, .bias = true}, {3, 1, 1});
  check_own<17>({.kernel = 5, .pad = 4, .dilation = 2}, {2, 2, 3});      // narrower than the window
  check_own<16>({.kernel = 3, .pad = 6, .dilation = 2}, {1, 4, 4});      // windows that see nothing
  check_own<16>({.kernel = 3, .pad = 12, .dilation = 12}, {1, 40, 70});  // bands of lines that overlap much
  check_own<16>({.kernel = 5, .pad = 2}, {1, 70, 90});                   // several bands
  check_own<16>({.kernel = 5, .stride = 2, .pad = 2}, {1, 90, 140});
  check_own<16>({.kernel = 3, .pad = 1}, {1, 3, 600});  // lines longer than a sum in float
}

TEST_CASE("onednn: gradients of own depthwise convolutions are added up") {
  check_own<20>({.kernel = 5, .pad = 2, .bias = true}, {2, 6, 9}, true);
  check_own<20>({.kernel = 3, .stride = 2, .pad = 2, .dilation = 2, .bias = true}, {2, 9, 9}, true);
}

TEST_CASE("onednn: own depthwise convolutions as experts, some of them without rows") {
  for (const int k : {1, 2})
    for (const int images : {1, 5}) {
      const Graph g =
          record(DepthwiseExperts{{.router = mixture_test::top(k, k == 1 ? Weights::raw : Weights::renormalised)}},
                 {images, 6, 7});
      CHECK(own_kernels(Own().lower(g, analyse(g, true, g.outputs), {})) == 1);
      CHECK(test::check_graph_parity<Own>(g) == "");
    }
}

TEST_CASE("onednn: a depthwise convolution is our own exactly where oneDNN's is slow") {
  for (const int dilation : {1, 2})
    for (const int kernel : {3, 5})
      for (const bool training : {false, true}) {
        const ops::Conv op{.kernel = kernel, .pad = kernel / 2 * dilation, .dilation = dilation};
        const Graph g = record(Between<32>{op}, {2, 12, 12});
        const Flow f = analyse(g, training, training ? g.outputs : std::vector<int>{});
        CHECK(own_kernels(backend::OneDnn().lower(g, f, {})) == slow_in_onednn(g, f));
      }
}

TEST_CASE("onednn: oneDNN reads the weights of own depthwise convolutions as they are, in both directions") {
  const ops::Conv op{.kernel = 5, .pad = 4, .dilation = 2, .bias = true};
  const Graph g = record(Between<20>{op}, {2, 9, 10});
  for (const bool training_first : {true, false}) {
    const ProgramOpts inference{}, training{.training = true, .input_grad = true, .seeds = g.outputs};
    Side<backend::OneDnn> first(g, training_first ? training : inference);
    Side<backend::OneDnn> second(g, training_first ? inference : training, first.store);
    first.randomise();
    for (Side<backend::OneDnn>* side : {&first, &second}) {
      const bool trains = (side == &first) == training_first;
      Side<backend::Reference<double>> ref(g, trains ? training : inference);
      ref.randomise();
      run_and_compare(*side, ref, {.training = trains});
      for (const std::string& name : onednn::implementations(side->program->lowered()))
        CHECK(name != ": weights: converted when they change");  // the node that is no layer's
    }
  }
}

TEST_CASE("onednn: own depthwise convolutions live with weights in plain order") {
  const ops::Conv op{.kernel = 5, .pad = 4, .dilation = 2, .bias = true};
  for (const bool again : {false, true}) {
    const Graph g = record(Between<20>{op, again}, {2, 9, 10});
    for (const bool training : {false, true}) {
      ParamStore plain;
      plain.adopt(g, {});
      const ProgramOpts opts = program_opts(g, training);
      Side<backend::OneDnn> one(g, opts, plain);
      CHECK(own_kernels(one.program->lowered()) == slow_in_onednn(g, one.program->flow()));
      Side<backend::Reference<double>> ref(g, opts);
      one.randomise(), ref.randomise();
      run_and_compare(one, ref, {.training = training});
    }
  }
}

TEST_CASE("onednn: own depthwise convolutions keep padding zero and do not depend on the number of threads") {
  const ops::Conv op{.kernel = 5, .stride = 2, .pad = 4, .dilation = 2, .bias = true};
  const Graph g = record(Between<20>{op}, {3, 30, 31});
  std::vector<std::vector<float>> results;
  const onednn::detail::OneThread restore;  // puts the number of threads back
  for (const int threads : {1, 2, 3}) {
#ifdef _OPENMP
    omp_set_num_threads(threads);
#endif
    Side<Own> one(g, {.training = true, .input_grad = true, .seeds = g.outputs});
    one.randomise();
    step_once(one);
    const int w = one.store.find("dw.weight"), b = one.store.find("dw.bias");
    results.push_back(one.gradient(w));
    for (float v : one.gradient(b)) results.back().push_back(v);
    for (float v : one.program->read(g.outputs[0])) results.back().push_back(v);
    check_padding(one.store.layouts()[w].get(), one.store.grad_data(w), g.params[w].elements());
    CHECK(results.back() == results.front());
  }
}
#endif
