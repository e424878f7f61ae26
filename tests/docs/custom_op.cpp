// An operation of one's own, complete with its test: a file to copy and fill in. docs/customising.md shows what stands
// between two `// [name]` markers.
#include "moecnn/backend/host/host_op.hpp"
#include "moecnn/layer/linear.hpp"
#include "moecnn/model/model.hpp"
#include "moecnn/model/summary.hpp"
#include "moecnn/testing/check_gradients.hpp"

#include <doctest/doctest.h>

#include <cmath>

using namespace moecnn;

namespace {

// [custom_op]
/// x · σ(βx) with a β per channel that is learned (Ramachandran et al., 2017). Parameter `beta` [C].
struct Swish : HostOp<Swish> {
  std::string name() const override { return "swish"; }
  MapShape output(std::span<const MapShape> in) const override { return in[0]; }
  std::vector<CustomParam> params(std::span<const MapShape> in) const override {
    return {{"beta", {in[0].channels}, Init::ones}};
  }

  template <class T>
  void forward(const HostRows<T>& r) const {
    for (long long i = 0; i < r.size(); ++i) r.y[i] = r.x[0][i] * gate(r.x[0][i], r.param[0][channel(r, i)]);
  }
  template <class T>
  void backward(const HostRows<T>& r) const {
    for (long long i = 0; i < r.size(); ++i) {
      const T x = r.x[0][i], beta = r.param[0][channel(r, i)], s = gate(x, beta);
      if (r.dx[0]) r.dx[0][i] += r.dy[i] * (s + beta * x * s * (1 - s));
      if (r.dparam[0]) r.dparam[0][channel(r, i)] += r.dy[i] * x * x * s * (1 - s);
    }
  }

  template <class T>
  static T gate(T x, T beta) {
    return 1 / (1 + std::exp(-beta * x));
  }
  template <class T>
  static long long channel(const HostRows<T>& r, long long i) {
    return i / r.out.pixels() % r.out.channels;
  }
};
// [custom_op]

// [custom_layer]
template <int C>
struct SwishLayer {
  static constexpr int in = C, out = C;
  Value<C> wire(Recorder& g, Value<C> x) const { return g.custom(Swish{}, x); }
};
// [custom_layer]

// [custom_shape]
/// Channels in another order, so that grouped convolutions see those of all groups (Zhang et al., 2018): channel c goes to
/// place (c % n) · groups + c / n of n channels per group.
struct Shuffle : HostOp<Shuffle> {
  explicit Shuffle(int count) : groups(count) {}
  int groups;

  std::string name() const override { return "channel shuffle"; }
  std::string settings() const override { return std::to_string(groups) + " groups"; }
  MapShape output(std::span<const MapShape> in) const override {
    check(in[0].channels % groups == 0, "{} channels cannot be divided into {} groups", in[0].channels, groups);
    return in[0];
  }
  HostNeeds needs(std::span<const MapShape>) const override { return {.keep_inputs = false}; }

  template <class T>
  void forward(const HostRows<T>& r) const {
    for_each_number(r, [&](long long from, long long to) { r.y[to] = r.x[0][from]; });
  }
  template <class T>
  void backward(const HostRows<T>& r) const {
    for_each_number(r, [&](long long from, long long to) { r.dx[0][from] += r.dy[to]; });
  }

  template <class T, class F>
  void for_each_number(const HostRows<T>& r, const F& visit) const {
    const int channels = r.out.channels, n = channels / groups;
    const long long pixels = r.out.pixels();
    for (int row = 0; row < r.rows; ++row)
      for (int c = 0; c < channels; ++c)
        for (long long p = 0; p < pixels; ++p)
          visit((1LL * row * channels + c) * pixels + p, (1LL * row * channels + c % n * groups + c / n) * pixels + p);
  }
};
// [custom_shape]

struct ShuffleLayer {
  static constexpr int in = 6, out = 6;
  Value<6> wire(Recorder& g, Value<6> x) const { return g.custom(Shuffle{2}, x); }
};

// [custom_net]
struct SwishExpert {
  static constexpr int in = 6, out = 6;
  Value<6> wire(Recorder& g, Value<6> x) const {
    return g("act", SwishLayer<6>{}, g("conv", Conv<6, 6, ConvOpts{.kernel = 3, .pad = 1}>{}, x));
  }
};
// [custom_net]

struct Net {
  static constexpr int in = 3;
  Value<5> wire(Recorder& g, Value<3> x) const {
    const auto y = g("mixture", MoE<SwishExpert, 4>{}, g("shuffle", ShuffleLayer{}, g("stem", Conv<3, 6>{}, x)));
    return g("fc", Linear<6, 5>{}, g.global_avg_pool(y));
  }
};

}  // namespace

TEST_CASE("a net with operations of one's own trains, in each precision, and its summary names them") {
  for (const Precision precision : {Precision::full, Precision::bf16}) {
    Model<Net, backend::Reference<float>> model({.n = 6, .h = 8, .w = 8}, {.precision = precision});
    auto& program = model.training();
    std::vector<float> images(6 * 3 * 8 * 8);
    for (std::size_t i = 0; i < images.size(); ++i) images[i] = static_cast<float>(Rng(7, Purpose::other).normal(i));
    program.set_images(images.data());
    program.set_labels(std::vector<int>{0, 1, 2, 3, 4, 0}.data());
    program.forward({.training = true});
    program.backward({.training = true});
    CHECK(std::isfinite(program.loss()));
    double sum = 0;
    for (int e = 0; e < 4; ++e)
      for (double v : model.params().read_grad(model.params().find(formatted("mixture.experts.{}.act.beta", e))))
        sum += v * v;
    CHECK(sum > 0);
    const std::string text = summary(model.recorded(), program);
    CHECK(text.find("channel shuffle, 2 groups") != std::string::npos);
    CHECK(text.find("swish (× 4)") != std::string::npos);
    auto& inference = model.inference();
    inference.set_images(images.data());
    inference.forward({});
    CHECK(inference.read(inference.graph().outputs[0]).size() == 30);
  }
}

TEST_CASE("gradients of operations of one's own equal central differences") {
  // [custom_check]
  const auto found = testing::check_layer(SwishLayer<5>{});
  CHECK_MESSAGE(found.ok(), found.text());
  CHECK(testing::check_layer(ShuffleLayer{}).ok());
  // [custom_check]
}

TEST_CASE("a channel shuffle of two groups takes their channels in turn") {
  testing::Rig<backend::Reference<float>> rig;
  Program& program = rig.add(record(ShuffleLayer{}, {.n = 2, .h = 1, .w = 1}), {});
  program.set_images(std::vector<float>{0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15}.data());
  program.forward({});
  CHECK(program.read(program.graph().outputs[0]) == std::vector<double>{0, 3, 1, 4, 2, 5, 10, 13, 11, 14, 12, 15});
}
