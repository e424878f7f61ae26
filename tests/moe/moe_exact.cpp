// Results of a mixture, in cases where the answer is known: one expert is the plain layer, equal experts are one
// expert, analysis modes are what they say, inference hears no noise, statistics belong to those who had rows.
#include "moe/mixture_nets.hpp"
#include "moecnn/model/model.hpp"

#include <doctest/doctest.h>

using namespace moecnn;
using namespace mixture_test;
using test::Alone;
using test::Backward;

namespace {

using Reference = backend::Reference<double>;

/// A network without experts: what was gathered is combined again.
template <int N, int k>
struct ThereAndBack {
  static constexpr int in = 4;
  Weights weights = Weights::renormalised;
  Value<4> wire(Recorder& g, Value<4> x) const {
    const auto scores = [&] {
      const auto scope = g.scope("gate");
      return gate::GapLinear{}.wire<N, 4>(g, x, Experts<N>{});
    }();
    const TopK<dynamic> router{.k = k, .weights = weights, .noise = Noise::none};
    const auto r = g.route(make_policy(router, balance::None{}, constraint::None{}, N), scores);
    return g.combine(g.gather(x, r), r);
  }
};

/// A router of one's own that serves every second row only.
struct EverySecond {
  static constexpr int k = 1;
  static constexpr Noise noise = Noise::none;
  void verify(int, int, bool) const {}
  void choose(Routing& routing) const {
    routing.weights.fill(0);
    for (int r = 1; r < routing.rows; r += 2) routing.weights(r, r / 2 % routing.experts) = 0.5;
  }
  void backward(const Routing&, const Matrix&, Matrix&) const {}
};

/// Everything that a test reads from one network.
struct Bench {
  test::Rig<Reference> rig;
  Program* program;
  test::Batch batch;

  explicit Bench(const Graph& g, std::uint64_t seed = 1) : program(&rig.add_training(g)) {
    test::fill(rig.store, seed);
    batch = test::random_batch(g, seed);
  }
  test::Outcome run(const StepContext& step, Backward backward = Backward::yes) {
    return test::run(rig, *program, batch, step, backward);
  }
};

template <class Expert>
void check_one_expert(Extent images) {
  const Choice c{.experts = 1, .router = top(1)};
  Bench mixed(record(Bare<AnyMoE<Expert>>{mixture<Expert>(c)}, images)), plain(record(Bare<Expert>{}, images));
  for (int i = 0; i < plain.rig.store.size(); ++i) {
    const auto v = mixed.rig.store.read(mixed.rig.store.find("experts.0." + plain.rig.store.spec(i).name));
    plain.rig.store.write(i, v.data());
  }
  const auto a = mixed.run({.training = true}), b = plain.run({.training = true});
  CHECK(a.loss == b.loss);
  CHECK(a.result == b.result);
  CHECK(a.input_grad == b.input_grad);
  for (int i = 0; i < plain.rig.store.size(); ++i) {
    const auto id = static_cast<std::size_t>(mixed.rig.store.find("experts.0." + plain.rig.store.spec(i).name));
    CHECK(a.param_grad[id] == b.param_grad[i]);
    CHECK(a.buffers[id] == b.buffers[i]);
  }
  CHECK(test::norm(a.param_grad[static_cast<std::size_t>(mixed.rig.store.find("gate.fc.weight"))]) == 0);
}

}  // namespace

TEST_CASE("one expert is the plain layer, bit by bit") {
  check_one_expert<ConvExpert>({5, 5, 4});
  check_one_expert<NormExpert>({5, 6, 6});
  check_one_expert<BasicBlock<4, 4>>({3, 4, 4});
}

TEST_CASE("equal experts are one expert, whatever the weights") {
  for (const auto& router : {top(2), top(3), top(4), top(1, Weights::straight_through)}) {
    Bench mixed(record(Bare<AnyMoE<ConvExpert>>{mixture<ConvExpert>({.router = router})}, {6, 5, 4}));
    Bench plain(record(Bare<ConvExpert>{}, {6, 5, 4}));
    copy_expert(mixed.rig.store, 0);
    for (int i = 0; i < plain.rig.store.size(); ++i)
      plain.rig.store.write(
          i, mixed.rig.store.read(mixed.rig.store.find("experts.0." + plain.rig.store.spec(i).name)).data());
    const auto a = mixed.run({.training = true}), b = plain.run({.training = true});
    CHECK(test::distance(a.result, b.result) < 1e-14);
    // Their gradients add up to the plain layer's, and the gate has nothing to choose.
    std::vector<double> sum(b.param_grad[0].size(), 0.0);
    for (int e = 0; e < 4; ++e) {
      const auto& g =
          a.param_grad[static_cast<std::size_t>(mixed.rig.store.find("experts." + std::to_string(e) + ".weight"))];
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += g[i];
    }
    CHECK(test::distance(sum, b.param_grad[0]) < 1e-13);
    if (router.weights == Weights::renormalised)
      CHECK(test::norm(a.param_grad[static_cast<std::size_t>(mixed.rig.store.find("gate.fc.weight"))]) < 1e-12);
  }
}

TEST_CASE("combine undoes gather: the weights of a row sum to 1") {
  Bench two(record(ThereAndBack<5, 2>{}, {7, 3, 2})), all(record(ThereAndBack<5, 5>{}, {7, 3, 2}));
  CHECK(test::distance(two.run({.training = true}).result, two.batch.images) < 1e-15);
  CHECK(test::distance(all.run({.training = true}).result, all.batch.images) < 1e-15);
  Bench one(record(ThereAndBack<5, 1>{Weights::straight_through}, {7, 3, 2}));
  CHECK(one.run({.training = true}).result == one.batch.images);
}

TEST_CASE("no row is dropped: rows times k slots, grouped by expert, unless a constraint leaves fewer experts") {
  for (const int k : {1, 2, 3, 4})
    for (const int rows : {1, 5, 33}) {
      const Choice c{.router = top(k, k == 1 ? Weights::raw : Weights::renormalised)};
      Bench b(record(Bare<AnyMoE<ConvExpert>>{mixture<ConvExpert>(c)}, {rows, 3, 3}));
      const auto out = b.run({.training = true}, Backward::no);
      const Routing& r = out.routings[0];
      CHECK(r.slots() == rows * k);
      for (int e = 0; e < 4; ++e) {
        CHECK(r.slots_of(e) == r.load[e]);
        for (int s = r.offset[e]; s < r.offset[e + 1]; ++s) {
          CHECK(r.slot_weight[s] == r.weights(r.slot_row[s], e));
          if (s > r.offset[e]) CHECK(r.slot_row[s] > r.slot_row[s - 1]);
        }
      }
    }
  // Three of four barred, k = 2: one expert serves everyone, with weight 1.
  const Choice c{.router = top(2), .constraint = constraint::RelativeImportance{}};
  Bench b(record(Bare<AnyMoE<ConvExpert>>{mixture<ConvExpert>(c)}, {5, 3, 3}));
  const std::vector<double> state{0.6, -1.8, 0.6, 0.6};
  std::copy(state.begin(), state.end(), b.rig.store.state(0).begin());
  const auto out = b.run({.training = true});
  CHECK(out.routings[0].load == std::vector<int>{0, 5, 0, 0});
  CHECK(out.routings[0].slot_weight == std::vector<double>(5, 1.0));
  CHECK(out.state == std::vector<double>{0.6 - 1, -1.8 + 3, 0.6 - 1, 0.6 - 1});
}

TEST_CASE("routing does not depend on the backend's scalar") {
  // Logits that are exact in float: pixels and weights are small whole numbers, maps have four pixels.
  const Choice c{.experts = 6, .router = top(3), .balance = balance::KlDivergence{}};
  const Graph g = record(Bare<AnyMoE<ConvExpert>>{mixture<ConvExpert>(c)}, {40, 2, 2});
  test::Rig<Reference> exact;
  test::Rig<backend::Reference<float>> single;
  auto& a = exact.add_training(g);
  auto& b = single.add_training(g);
  auto batch = test::random_batch(g, 1);
  for (double& x : batch.images) x = std::round(2 * x);
  const auto whole = [](auto& store) {
    test::fill(store, 1);
    for (int i = 0; i < store.size(); ++i) {
      auto v = store.read(i);
      for (auto& x : v) x = std::round(x * 2);
      if (store.spec(i).name.find("gate.") != std::string::npos) store.write(i, v.data());
    }
  };
  whole(exact.store), whole(single.store);
  const auto x = test::run(exact, a, batch, {.training = true}), y = test::run(single, b, batch, {.training = true});
  const auto same = [](const auto& p, const auto& q) { return std::equal(p.begin(), p.end(), q.begin(), q.end()); };
  CHECK(same(x.routings[0].logits.flat(), y.routings[0].logits.flat()));
  CHECK(same(x.routings[0].weights.flat(), y.routings[0].weights.flat()));
  CHECK(same(x.routings[0].slot_row, y.routings[0].slot_row));
  CHECK(same(x.routings[0].slot_weight, y.routings[0].slot_weight));
  CHECK(x.routings[0].balance_loss == y.routings[0].balance_loss);
}

TEST_CASE("another k at evaluation") {
  using Net = Bare<AnyMoE<ConvExpert>>;
  const Extent images{5, 4, 4};
  Model<Net, Reference> model(images, {}, Net{mixture<ConvExpert>({.router = top(2)})});
  const auto batch = test::random_batch(model.recorded(), 1);
  for (const int k : {1, 2, 3, 4}) {
    auto& program = model.inference(0, k);
    program.set_images(batch.images.data());
    program.forward({});
    const Routing& r = program.routings()[0];
    CHECK(r.k == k);
    CHECK(r.slots() == 5 * k);
    // The same as a network that was built with that k.
    Model<Net, Reference> built(
        images, {.training = false},
        Net{mixture<ConvExpert>({.router = top(k, k == 1 ? Weights::straight_through : Weights::renormalised)})});
    auto& other = built.inference();
    other.set_images(batch.images.data());
    other.forward({});
    CHECK(test::distance(program.read(program.graph().outputs[0]), other.read(other.graph().outputs[0])) < 1e-15);
  }
  CHECK_THROWS_WITH_AS(model.inference(0, 5), ": k = 5 is not possible with 4 experts; choose 1 to 4, or every_expert",
                       Error);
}

TEST_CASE("a fixed expert and equal weights, by the step's context and by constant gates") {
  const Extent images{5, 4, 4};
  const Choice c{.experts = 3, .router = top(3)};
  const Graph g = record(Bare<AnyMoE<ConvExpert>>{mixture<ConvExpert>(c)}, images);
  Bench b(g), plain(record(Bare<ConvExpert>{}, images));
  std::vector<double> mean(static_cast<std::size_t>(g.edges[g.outputs[0]].elements()), 0.0);
  for (int e = 0; e < 3; ++e) {
    for (int i = 0; i < plain.rig.store.size(); ++i)
      plain.rig.store.write(
          i, b.rig.store.read(b.rig.store.find("experts." + std::to_string(e) + "." + plain.rig.store.spec(i).name))
                 .data());
    const auto alone = plain.run({}, Backward::no).result;
    for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += alone[i] / 3;
    const auto fixed = b.run({.fixed_expert = e}, Backward::no);
    CHECK(fixed.result == alone);
    CHECK(fixed.routings[0].load[e] == 5);
    CHECK(fixed.routings[0].slots() == 5);

    using Gate = MoE<ConvExpert, 3, TopK<2, RouterOpts{.noise = Noise::none}>, gate::Fixed>;
    Bench gated(record(Bare<Gate>{{.gate = {.expert = e}}}, images));
    CHECK(gated.run({.training = true}, Backward::no).result == alone);  // the same seed: the same experts
  }
  CHECK(test::distance(b.run({.equal_weights = true}, Backward::no).result, mean) < 1e-14);
  using Gate = MoE<ConvExpert, 3, TopK<3, RouterOpts{.noise = Noise::none}>, gate::Uniform>;
  Bench gated(record(Bare<Gate>{}, images));
  CHECK(test::distance(gated.run({.training = true}, Backward::no).result, mean) < 1e-14);

  CHECK_THROWS_WITH_AS(b.run({.fixed_expert = 3}, Backward::no),
                       " at step 0: expert 3 was asked to serve every row, but the layer has experts 0 … 2", Error);
  // Equal weights need room for all experts.
  Bench small(record(Alone{mixture<ConvExpert>({.experts = 3, .router = top(2)})}, images));
  CHECK_THROWS_WITH_AS(
      small.run({.equal_weights = true}, Backward::no),
      "layer: equal weights run all 3 experts, this program has room for k = 2; ask the model for a program "
      "with k = every_expert",
      Error);
}

TEST_CASE("noise is heard in training alone, belongs to seed and step, and its weights learn") {
  Bench b(record(Alone{mixture<ConvExpert>({.router = top(2)})}, {6, 3, 3}));
  const auto logits = [&](const StepContext& step) {
    const auto r = b.run(step, Backward::no).routings[0];
    return std::vector<double>(r.logits.flat().begin(), r.logits.flat().end());
  };
  const auto quiet = logits({});
  CHECK(quiet == logits({.seed = 3, .step = 9}));
  CHECK(quiet == logits({.training = true, .seed = 3, .step = 9, .noise_off = true}));
  const auto noisy = logits({.training = true, .seed = 3, .step = 9});
  CHECK(noisy != quiet);
  CHECK(noisy == logits({.training = true, .seed = 3, .step = 9}));
  CHECK(noisy != logits({.training = true, .seed = 3, .step = 10}));
  CHECK(noisy != logits({.training = true, .seed = 4, .step = 9}));

  const auto id = static_cast<std::size_t>(b.rig.store.find("layer.gate.noise.weight"));
  CHECK(test::norm(b.run({.training = true}).param_grad[id]) > 1e-3);
  CHECK(test::norm(b.run({.training = true, .noise_off = true}).param_grad[id]) == 0);
}

TEST_CASE("the inference program has no noise weights to read") {
  using Net = Bare<AnyMoE<ConvExpert>>;
  Model<Net, Reference> model({3, 4, 4}, {}, Net{mixture<ConvExpert>({.router = top(2)})});
  for (const Node& n : model.inference().graph().nodes) CHECK(n.name != "gate.noise");
  CHECK(model.params().find("gate.noise.weight") >= 0);
}

TEST_CASE("running statistics move in training, and only those of experts with rows") {
  Bench b(record(Alone{mixture<NormExpert>({.router = top(2)})}, {4, 6, 6}));
  decide_by_bias(b.rig.store, {9, 8, -9, -9});
  const auto before = [&](std::size_t i) { return b.rig.store.read(static_cast<int>(i)); };
  const auto trained = b.run({.training = true, .noise_off = true}, Backward::no), evaluated = b.run({}, Backward::no);
  int moved = 0, rested = 0;
  for (std::size_t i = 0; i < trained.buffers.size(); ++i) {
    if (trained.buffers[i].empty()) continue;
    const std::string& name = b.rig.store.spec(static_cast<int>(i)).name;
    const bool has_rows = name.find("experts.0.") != std::string::npos || name.find("experts.1.") != std::string::npos;
    CAPTURE(name);
    CHECK((trained.buffers[i] != before(i)) == has_rows);
    CHECK(evaluated.buffers[i] == before(i));
    (has_rows ? moved : rested) += 1;
  }
  CHECK(moved == 24);  // two experts × six norms × mean and variance
  CHECK(rested == 24);
}

TEST_CASE("experts without rows have gradients of exactly zero") {
  Bench b(record(Alone{mixture<NormExpert>({.router = top(2)})}, {4, 6, 6}));
  decide_by_bias(b.rig.store, {9, 8, -9, -9});
  const auto out = b.run({.training = true, .noise_off = true});
  for (std::size_t i = 0; i < out.param_grad.size(); ++i) {
    const std::string& name = b.rig.store.spec(static_cast<int>(i)).name;
    if (out.param_grad[i].empty() || name.find("experts.") == std::string::npos) continue;
    CAPTURE(name);
    const bool idle = name.find("experts.2.") != std::string::npos || name.find("experts.3.") != std::string::npos;
    CHECK((test::norm(out.param_grad[i]) == 0) == idle);
  }
}

TEST_CASE("a constraint acts in training only, and its state moves in training only") {
  const Choice c{.router = top(2), .constraint = constraint::RelativeImportance{}};
  Bench b(record(Alone{mixture<ConvExpert>(c)}, {5, 3, 3}));  // the state bars expert 0
  const auto trained = b.run({.training = true}, Backward::no), evaluated = b.run({}, Backward::no);
  CHECK(trained.routings[0].barred == std::vector<char>{1, 0, 0, 0});
  CHECK(trained.routings[0].load[0] == 0);
  CHECK(evaluated.routings[0].barred == std::vector<char>(4, 0));
  CHECK(evaluated.routings[0].load[0] > 0);
  CHECK(trained.state[0] == doctest::Approx(0.9 - 1).epsilon(1e-12));
  CHECK(evaluated.state == std::vector<double>{0.9, 0.1, 0.1, 0.1});
}

TEST_CASE("NaN in the images stops the mixture with its name and the step") {
  Bench b(record(Alone{mixture<ConvExpert>({.router = top(2)})}, {2, 3, 3}));
  b.batch.images[20] = std::nan("");
  try {
    b.run({.training = true, .step = 12}, Backward::no);
    FAIL("NaN went through");
  } catch (const Error& e) {
    CHECK(std::string(e.what()).find("layer at step 12: row 0") == 0);
  }
}

TEST_CASE("a row that no expert serves is zero, and so is its gradient") {
  const Graph g = record(Bare<MoE<ConvExpert, 3, EverySecond>>{}, {5, 4, 4});
  Bench b(g);
  const auto out = b.run({.training = true});
  CHECK(out.routings[0].slots() == 2);
  const std::size_t y = out.result.size() / 5, x = out.input_grad.size() / 5;
  for (std::size_t r = 0; r < 5; ++r) {
    const std::vector<double> row(out.result.begin() + r * y, out.result.begin() + (r + 1) * y);
    const std::vector<double> grad(out.input_grad.begin() + r * x, out.input_grad.begin() + (r + 1) * x);
    CHECK((test::norm(row) > 0.1) == (r % 2 == 1));
    CHECK((test::norm(grad) > 0.1) == (r % 2 == 1));
    CHECK(test::detail::finite(row));
    CHECK(test::detail::finite(grad));
  }
  CHECK(test::check_graph(g) == "");
}

TEST_CASE("gradients of weights are those of this batch: 0 where nothing ran") {
  Bench b(record(Alone{mixture<ConvExpert>({.router = top(2)})}, {6, 3, 3}));
  for (std::uint64_t step = 0; step < 4; ++step) {  // other noise, another choice
    const auto out = b.run({.training = true, .step = step});
    const Matrix& grads = b.program->routing_grads()[0].weights;
    for (int r = 0; r < 6; ++r)
      for (int e = 0; e < 4; ++e) CHECK((grads(r, e) != 0) == (out.routings[0].weights(r, e) > 0));
  }
}
