// The code of docs/customising.md. Text between two `// [name]` markers is shown there word for word.
#include "moecnn/backend/reference.hpp"
#include "moecnn/model/model.hpp"
#include "moecnn/moe/moe.hpp"
#include "moecnn/testing/check_gradients.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace moecnn;

namespace {

// [gate]
/// Scores experts by a 1×1 convolution per pixel, averaged over the map: a gate that looks before it averages.
struct PixelVote {
  template <int N, int C>
  Logits<N> wire(Recorder& g, Value<C> x, Experts<N> experts) const {
    auto votes = g.relu(g("look", Conv<C, 16, ConvOpts{.kernel = 1, .bias = true}>{}, x));
    return logits_of<N>(g("fc", Linear<16, N>{experts.count}, g.global_avg_pool(votes)));
  }
};
// [gate]

// [moments]
/// Scores experts by mean and variance of every channel over the map.
struct Moments {
  template <int N, int C>
  Logits<N> wire(Recorder& g, Value<C> x, Experts<N> experts) const {
    const auto mean = g.global_avg_pool(x);
    const auto variance = g.subtract(g.global_avg_pool(g.square(x)), g.square(mean));
    return logits_of<N>(g("fc", Linear<2 * C, N>{experts.count}, g.concat(mean, variance)));
  }
};
// [moments]

// [balance]
/// weight · Σ_e (I_e / B - 1 / N)²: asks for equal shares of the importance I of B rows.
struct SquaredShare {
  double weight = 1.0;

  double operator()(const Routing& r, BalanceGrad& grad) const {
    double loss = 0;
    for (int e = 0; e < r.experts; ++e) {
      const double gap = r.importance[e] / r.rows - 1.0 / r.experts;
      loss += weight * gap * gap;
      grad.importance()[e] += weight * 2 * gap / r.rows;  // dL/dI_e
    }
    return loss;
  }
};
// [balance]

// [constraint]
/// The expert that served most rows of a batch rests for the next one.
struct RestTheBusiest {
  static constexpr bool active = true;

  std::vector<StateSpec> state(int experts) const { return {{"last_load", experts}}; }

  void bar(std::span<const double> state, std::span<char> barred) const {
    const auto busiest = std::max_element(state.begin(), state.end());
    if (*busiest > 0) barred[busiest - state.begin()] = 1;
  }
  void update(std::span<double> state, const Routing& r) const {
    std::copy(r.load.begin(), r.load.end(), state.begin());
  }
};
// [constraint]

// [expert]
/// One convolution without an activation. An expert is any layer with `in`, `out` and wire().
template <int In, int Out>
struct OneConv {
  static constexpr int in = In, out = Out;

  Value<Out> wire(Recorder& g, Value<In> x) const {
    return g("conv", Conv<In, Out, ConvOpts{.kernel = 3, .pad = 1, .bias = true}>{}, x);
  }
};
// [expert]

// [unequal]
/// A cheaper expert for the same channels.
struct Pointwise {
  static constexpr int in = 8, out = 12;
  Value<12> wire(Recorder& g, Value<8> x) const { return g("conv", Conv<8, 12>{}, x); }
};
using Unequal = MoE<std::tuple<OneConv<8, 12>, OneConv<8, 12>, Pointwise>, 3, TopK<2>>;
// [unequal]

// [together]
struct TinyNet {
  static constexpr int in = 3;

  Value<5> wire(Recorder& g, Value<3> image) const {
    const auto x = g.relu(g("stem", Conv<3, 8, ConvOpts{.kernel = 3, .pad = 1, .bias = true}>{}, image));
    const auto y = g("mixture", MoE<OneConv<8, 12>, 4, TopK<2>, PixelVote, SquaredShare, RestTheBusiest>{}, x);
    return g("fc", Linear<12, 5>{}, g.global_avg_pool(y));
  }
};
// [together]

// [shared_gate]
/// Two mixtures of the same rows that one gate scores. Each routes by itself, with noise, balance loss and constraint of
/// its own.
struct OneGate {
  static constexpr int in = 3;

  Value<5> wire(Recorder& g, Value<3> image) const {
    const auto x = g.relu(g("stem", Conv<3, 8, ConvOpts{.kernel = 3, .pad = 1, .bias = true}>{}, image));
    const auto logits = g("gate", gate::GapLinear{}, x, Experts<4>{});
    const MoE<OneConv<8, 12>, 4, TopK<2>, gate::Shared<4>> mixture{.gate = {logits}};
    const auto a = g("first", mixture, x);
    const auto b = g("second", mixture, x);
    return g("fc", Linear<12, 5>{}, g.global_avg_pool(g.add(a, b)));
  }
};
// [shared_gate]

struct MomentsNet {
  static constexpr int in = 3;
  Value<3> wire(Recorder& g, Value<3> x) const { return g("mixture", MoE<OneConv<3, 3>, 4, TopK<2>, Moments>{}, x); }
};

/// The net in double on the reference backend, fed with the same 6 images at every step.
struct Run {
  Model<TinyNet, backend::Reference<double>> model{{.n = 6, .h = 8, .w = 8}, {.seed = 7}};

  const Routing& operator()(bool training) {
    auto& program = training ? model.training() : model.inference();
    const Rng rng(7, Purpose::other);
    std::vector<double> images(6 * 3 * 8 * 8);
    for (std::size_t i = 0; i < images.size(); ++i) images[i] = rng.normal(i);
    program.set_images(images.data());
    if (training) program.set_labels(std::vector<int>(6, 0).data());
    StepContext step;
    step.training = training;
    program.forward(step);
    return program.routing("mixture");
  }
};

}  // namespace

TEST_CASE("a gate and an expert of one's own give their parameters names below the mixture") {
  const Graph g = record(TinyNet{}, {.n = 2, .h = 8, .w = 8});
  std::vector<std::string> names;
  for (const ParamSpec& p : g.params) names.push_back(p.name);
  const auto has = [&](const char* name) { return std::find(names.begin(), names.end(), name) != names.end(); };
  CHECK(has("mixture.gate.look.weight"));
  CHECK(has("mixture.gate.fc.bias"));
  CHECK(has("mixture.experts.0.conv.weight"));
  CHECK(has("mixture.experts.3.conv.bias"));
  CHECK_FALSE(has("mixture.experts.4.conv.bias"));
  CHECK_FALSE(has("mixture.gate.noise.weight"));  // an active constraint goes without noise
}

TEST_CASE("two mixtures with one gate train") {
  Model<OneGate, backend::Reference<double>> model({.n = 6, .h = 8, .w = 8});
  auto& program = model.training();
  std::vector<double> images(6 * 3 * 8 * 8);
  for (std::size_t i = 0; i < images.size(); ++i) images[i] = Rng(7, Purpose::other).normal(i);
  program.set_images(images.data());
  program.set_labels(std::vector<int>{0, 1, 2, 3, 4, 0}.data());
  const StepContext step{.training = true, .noise_off = true};
  program.forward(step);
  program.backward(step);
  CHECK(program.routing("first").slot_row == program.routing("second").slot_row);
  const double* grad = model.params().grad<double>(model.params().find("gate.fc.weight"));
  CHECK(std::any_of(grad, grad + 4 * 8, [](double v) { return v != 0; }));
}

TEST_CASE("a gate that looks at moments: mean and variance of every channel are what its last layer reads") {
  Model<MomentsNet, backend::Reference<double>> model({.n = 1, .h = 2, .w = 2}, {.training = false});
  auto& program = model.inference();
  auto& params = model.params();
  std::vector<double> weight(4 * 6, 0.0), bias(4, 0.0);
  for (int row = 0; row < 4; ++row) weight[row * 6 + row + 1] = 1;  // logits: means of channels 1, 2, variances of 0, 1
  params.write(params.find("mixture.gate.fc.weight"), weight.data());
  params.write(params.find("mixture.gate.fc.bias"), bias.data());
  program.set_images(std::vector<double>{0, 2, 0, 2, 3, 3, 3, 7, 5, 5, 5, 5}.data());
  program.forward({});
  const auto logits = program.routing("mixture").logits.row(0);
  CHECK(std::vector<double>(logits.begin(), logits.end()) == std::vector<double>{4, 5, 1, 3});
}

TEST_CASE("a net of one's own parts runs") {
  Run run;
  const Routing& r = run(false);
  CHECK(r.slots() == 12);
  const auto logits = run.model.inference().read(run.model.inference().graph().outputs[0]);
  CHECK(logits.size() == 30);
  CHECK(std::all_of(logits.begin(), logits.end(), [](double v) { return std::isfinite(v); }));
  CHECK(r.balance_loss > 0);
}

TEST_CASE("a constraint of one's own keeps its state and bars in training only") {
  Run run;
  const std::vector<int> first = run(true).load;
  const auto busiest = std::max_element(first.begin(), first.end()) - first.begin();
  const Routing& second = run(true);
  CHECK(second.load[busiest] == 0);
  CHECK(second.barred[busiest] != 0);
  CHECK(run(false).load == first);
}

TEST_CASE("gradients of one's own parts equal central differences") {
  // [check]
  const auto grad = testing::check_balance(SquaredShare{});
  CHECK_MESSAGE(grad.ok(), grad.text());  // doctest; any other framework will do
  CHECK(testing::check_gate(PixelVote{}).ok());
  CHECK(testing::check_layer(OneConv<8, 12>{}).ok());
  CHECK(testing::check_constraint(RestTheBusiest{}).ok());
  // [check]
  CHECK(testing::check_layer(Unequal{}).ok());
  CHECK(testing::check_net(TinyNet{}, {.n = 6, .h = 8, .w = 8}).ok());
}
