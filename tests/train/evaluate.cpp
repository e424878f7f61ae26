#include "moecnn/train/evaluate.hpp"

#include <doctest/doctest.h>

#include "io/scratch.hpp"
#include "moecnn/analysis/predictions.hpp"
#include "train/tiny.hpp"

using namespace moecnn;

TEST_CASE("accuracy and loss are those of the logits, in file order, with a partial batch") {
  const auto set = tiny_images(20);
  TinyModel model({.n = 8, .h = 8, .w = 8});
  data::Loader test(set, test_loader());
  std::vector<float> logits;
  int right = 0, seen = 0;
  double loss = 0;
  const Evaluation e = evaluate(model, test, {.on_batch = [&](const EvaluatedBatch& b) {
                                  CHECK(b.first == seen);
                                  CHECK(b.classes == 4);
                                  CHECK(b.routings->size() == 1);
                                  for (int i = 0; i < b.count; ++i) {
                                    const float* z = b.logits + 4 * i;
                                    CHECK(b.labels[i] == set.labels[seen + i]);
                                    right += std::max_element(z, z + 4) - z == b.labels[i];
                                    loss += cross_entropy_of(z, 4, b.labels[i]);
                                    logits.insert(logits.end(), z, z + 4);
                                  }
                                  seen += b.count;
                                }});
  CHECK(e.images == 20);
  CHECK(seen == 20);
  CHECK(e.top1() == right / 20.0);
  CHECK(e.top5() == 1);
  CHECK(e.loss == doctest::Approx(loss / 20));
  REQUIRE(e.routing.size() == 1);
  CHECK(e.routing[0].rows() == 20);
  CHECK(e.record().mixtures[0].load == e.routing[0].load_share());

  // One image at a time gives the same: no batch statistics, no noise.
  data::Loader single(set, test_loader(1));
  std::size_t at = 0;
  evaluate(model, single, {.on_batch = [&](const EvaluatedBatch& b) {
             for (int c = 0; c < 4; ++c) CHECK(b.logits[c] == doctest::Approx(logits[at++]).epsilon(1e-5));
           }});
  CHECK(evaluate(model, test).loss == e.loss);
}

TEST_CASE("other k, one expert alone, all experts equally") {
  const auto set = tiny_images(10);
  TinyModel model({.n = 8, .h = 8, .w = 8});
  data::Loader test(set, test_loader());
  CHECK(evaluate(model, test, {.k = 1}).mixtures[0].k == 1);
  CHECK(evaluate(model, test, {.fixed_expert = 1}).routing[0].load_share() == std::vector{0.0, 1.0, 0.0});
  const auto even = evaluate(model, test, {.k = 3, .equal_weights = true}).routing[0].importance_share();
  for (double share : even) CHECK(share == doctest::Approx(1.0 / 3));
}

namespace {

/// Mixtures of three and of five experts.
struct Unequal {
  static constexpr int in = 3, out = 4;
  Value<4> wire(Recorder& g, Value<3> image) const {
    const auto x = g("conv1", Conv<3, 6, ConvOpts{.kernel = 3, .stride = 2, .pad = 1}>{}, image);
    const auto y = g("three", MoE<TinyExpert, 3>{}, x);
    return g("fc", Linear<6, 4>{}, g.global_avg_pool(g("five", MoE<TinyExpert, 5>{}, y)));
  }
};

}  // namespace

TEST_CASE("one expert alone in the mixtures of a name, the others as they are") {
  const auto set = tiny_images(10);
  Model<Unequal, backend::Reference<float>> model({.n = 8, .h = 8, .w = 8});
  data::Loader test(set, test_loader());
  const auto usual = evaluate(model, test).routing;
  const auto mixed = evaluate(model, test, {.fixed_expert = 4, .fixed_in = "fi*"}).routing;
  CHECK(mixed[0].load_share() == usual[0].load_share());
  CHECK(mixed[1].load_share() == std::vector<double>{0, 0, 0, 0, 1});
  CHECK(mixed[1].load_share() != usual[1].load_share());
  CHECK_THROWS_AS(evaluate(model, test, {.fixed_expert = 4}), Error);  // the first has three
  CHECK_THROWS_WITH_AS(evaluate(model, test, {.fixed_expert = 1, .fixed_in = "fore"}),
                       "no mixture has a name like \"fore\"; closest are five, three", Error);
}

TEST_CASE("equal weights need no k and serve mixtures of different sizes") {
  const auto set = tiny_images(10);
  Model<Unequal, backend::Reference<float>> model({.n = 8, .h = 8, .w = 8});
  data::Loader test(set, test_loader());
  for (const int k : {0, 2}) {
    const auto e = evaluate(model, test, {.k = k, .equal_weights = true});
    REQUIRE(e.routing.size() == 2);
    for (std::size_t m = 0; m < 2; ++m) {
      const int n = m == 0 ? 3 : 5;
      CHECK(e.mixtures[m].k == n);
      CHECK(e.routing[m].load() == std::vector<double>(static_cast<std::size_t>(n), 10.0));
      for (double share : e.routing[m].importance_share()) CHECK(share == doctest::Approx(1.0 / n));
    }
  }
  const auto p = analysis::predict(model, set, {.equal_weights = true});
  CHECK(p.mixtures[0].weights(9, 2) == doctest::Approx(1.0 / 3));
  CHECK(p.mixtures[1].weights(9, 4) == doctest::Approx(1.0 / 5));
  CHECK(evaluate(model, test).mixtures[1].k == 2);
}

TEST_CASE("labels beyond the classes are refused") {
  auto set = tiny_images(10);
  set.class_names.push_back("fifth");
  set.labels[9] = 4;
  TinyModel model({.n = 8, .h = 8, .w = 8});
  data::Loader test(set, test_loader());
  CHECK(has(error_of([&] { evaluate(model, test); }), "label 4"));
}
