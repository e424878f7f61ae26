#include "moecnn/train/evaluate.hpp"

#include <doctest/doctest.h>

#include "io/scratch.hpp"
#include "train/tiny.hpp"

using namespace moecnn;

TEST_CASE("accuracy and loss are those of the logits, in file order, with a partial batch") {
  const auto set = tiny_images(20);
  TinyModel model({.n = 8, .h = 8, .w = 8});
  data::Loader test(set, test_loader());
  std::vector<float> logits;
  int right = 0, seen = 0;
  double loss = 0;
  const Evaluation e = evaluate(model, test, {.on_batch = [&](const EvaluatedBatch<float>& b) {
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
  CHECK(e.top1 == right / 20.0);
  CHECK(e.top5 == 1);
  CHECK(e.loss == doctest::Approx(loss / 20));
  REQUIRE(e.routing.size() == 1);
  CHECK(e.routing[0].rows() == 20);
  CHECK(e.record().mixtures[0].load == e.routing[0].load_share());

  // One image at a time gives the same: no batch statistics, no noise.
  data::Loader single(set, test_loader(1));
  std::size_t at = 0;
  evaluate(model, single, {.on_batch = [&](const EvaluatedBatch<float>& b) {
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

TEST_CASE("labels beyond the classes are refused") {
  auto set = tiny_images(10);
  set.class_names.push_back("fifth");
  set.labels[9] = 4;
  TinyModel model({.n = 8, .h = 8, .w = 8});
  data::Loader test(set, test_loader());
  CHECK(has(error_of([&] { evaluate(model, test); }), "label 4"));
}
