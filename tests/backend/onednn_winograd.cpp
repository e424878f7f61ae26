#if MOECNN_HAS_ONEDNN
#include "onednn_compare.hpp"

#include "moecnn/backend/onednn.hpp"
#include "moecnn/layer/conv.hpp"

#ifdef _OPENMP
#include <omp.h>
#endif

using namespace moecnn;
using namespace onednn_test;

namespace {

/// The results of two convolutions of random maps: the output and all gradients.
struct Results {
  std::vector<float> output, input_grad;
  std::vector<std::vector<float>> grads;
};

template <int In, int Out, ConvOpts O>
struct Net {
  static constexpr int in = In;
  Value<Out> wire(Recorder& g, Value<In> x) const {
    const auto a = g("first", Conv<In, In, ConvOpts{.groups = In}>{}, x);  // after which maps lie in blocks
    return g.add(g("conv", Conv<In, Out, O>{}, a),
                 g("other", Conv<In, Out, O>{}, a));  // one gradient adds to the other
  }
};

Results run(const Graph& g, bool winograd) {
  const WithOptions options({.winograd = winograd});
  Side<backend::OneDnn> side(g, program_opts(g, true));
  side.randomise();
  step_once(side);
  Results r{side.program->read<float>(g.outputs[0]), side.input_gradient(), {}};
  for (int i = 0; i < side.store.size(); ++i) r.grads.push_back(side.gradient(i));
  return r;
}

/// Whether all convolutions that can go through Winograd's form do, in all passes.
bool used_where_possible(const Graph& g) {
  const auto low = backend::OneDnn().lower(g, analyse(g, true, g.outputs), {});
  bool all = true;
  for (const auto& k : low.kernels)
    if (const auto* conv = dynamic_cast<const onednn::ConvKernel*>(k.get()); conv && can_winograd(conv->choice()))
      for (const auto pass : onednn::passes) all &= conv->choice().uses_winograd(pass, g.edges[g.input].extent.n);
  return all;
}

/// Against oneDNN's direct convolutions.
template <int In, int Out, ConvOpts O>
void check(Extent images) {
  CAPTURE(In);
  CAPTURE(Out);
  const Graph g = record(Net<In, Out, O>{}, images);
  CHECK(used_where_possible(g));
  const Results own = run(g, true), direct = run(g, false);
  CHECK(distance(own.output, direct.output) < 1e-5);
  CHECK(distance(own.input_grad, direct.input_grad) < 1e-5);
  for (std::size_t i = 0; i < own.grads.size(); ++i) {
    CAPTURE(i);
    CHECK(distance(own.grads[i], direct.grads[i]) < 1e-5);
  }
}

constexpr ConvOpts k3{.kernel = 3, .pad = 1}, k3_bias{.kernel = 3, .pad = 1, .bias = true};

}  // namespace

TEST_CASE("onednn: the transformations of Winograd's form sum what they should") {
  using namespace onednn::winograd;
  const double x[6] = {1, -2, 3, 0.5, -1, 2}, k[3] = {0.5, -1, 2};
  double v[6], u[6], m[6], y[4];
  InputToPoints()(x, v);
  KernelToPoints()(k, u);
  for (int p = 0; p < 6; ++p) m[p] = u[p] * v[p];
  PointsToOutput()(m, y);
  for (int o = 0; o < 4; ++o) CHECK(y[o] == doctest::Approx(x[o] * k[0] + x[o + 1] * k[1] + x[o + 2] * k[2]));
  // The gradient of the kernel for slopes d of the sums.
  const double d[4] = {1, 2, -1, 0.25};
  double z[6], s[6], dk[3];
  OutputSlopeToPoints()(d, z);
  for (int p = 0; p < 6; ++p) s[p] = z[p] * v[p];
  PointsToKernelSlope()(s, dk);
  for (int t = 0; t < 3; ++t)
    CHECK(dk[t] == doctest::Approx(d[0] * x[t] + d[1] * x[t + 1] + d[2] * x[t + 2] + d[3] * x[t + 3]));
}

TEST_CASE("onednn: tiles of an axis cover every pixel once, phase by phase") {
  for (const int size : {1, 2, 7, 16, 23})
    for (const int dilation : {1, 2, 3, 9, 30}) {
      const onednn::winograd::Axis axis(true, size, size, dilation, dilation);
      std::vector<int> times(size);
      for (int t = 0; t < axis.tiles(); ++t) {
        const auto span = onednn::winograd::Span::output(axis, t);
        for (int i = span.begin; i < span.end; ++i) ++times[span.from + i * span.step];
      }
      CHECK(std::all_of(times.begin(), times.end(), [](int n) { return n == 1; }));
    }
}

TEST_CASE("onednn: Winograd's form equals direct convolution in stretches of tiles and panels of channels") {
  check<32, 48, k3>({5, 30, 41});        // many stretches
  check<16, 112, k3_bias>({2, 17, 23});  // panels of different widths
  check<352, 336, k3>({2, 40, 44});      // slices of channels, the last one narrower; two stretches
  check<400, 304, k3_bias>({1, 21, 25});
  check<144, 160, ConvOpts{.kernel = {3, 1}, .pad = {3, 0}, .dilation = {3, 1}}>({3, 31, 9});
  check<48, 32, ConvOpts{.kernel = {1, 3}, .bias = true}>({3, 9, 47});  // no padding
}

#ifdef _OPENMP
TEST_CASE("onednn: Winograd's form gives the same bits on any number of threads") {
  const int before = omp_get_max_threads();
  const auto check = [&](const Graph& g) {
    Results first;
    for (const int threads : {1, 2, 5}) {
      omp_set_num_threads(threads);
      const Results r = run(g, true);
      omp_set_num_threads(before);
      if (threads == 1) first = r;
      CHECK(r.output == first.output);
      // (Other convolutions are oneDNN's, whose sums depend on threads: this one's gradient does not.)
      CHECK(r.grads[1] == first.grads[1]);
    }
  };
  check(record(Net<64, 80, k3>{}, {3, 24, 24}));
  check(record(Net<352, 336, k3>{}, {1, 24, 24}));
}
#endif

#endif
