#include "moecnn/train/param_groups.hpp"

#include <doctest/doctest.h>

#include "io/scratch.hpp"
#include "moecnn/train/clip.hpp"
#include "train/tiny.hpp"

using namespace moecnn;

namespace {

/// Four parameters and a buffer, in double; "b.bias" and "c" have one dimension.
ParamStore some() {
  Graph g;
  g.params = {{"a.weight", {5, 7}, Init::normal},
              {"b.weight", {40, 3}, Init::normal},
              {"mean", {4}, Init::ones, 0, false},
              {"b.bias", {9}, Init::normal},
              {"c", {21}, Init::normal}};
  for (ParamSpec& p : g.params) p.dtype = DType::f64;
  ParamStore store;
  store.adopt(g, {});
  store.make_gradients();
  store.initialise(7);
  return store;
}

void draw_gradients(ParamStore& store, int step) {
  const Rng rng(3, Purpose::other, static_cast<std::uint64_t>(step));
  for (int i = 0; i < store.size(); ++i) {
    if (!store.spec(i).trained) continue;
    std::vector<double> g(static_cast<std::size_t>(store.spec(i).elements()));
    for (std::size_t j = 0; j < g.size(); ++j) g[j] = rng.normal(100 * static_cast<std::uint64_t>(i) + j);
    store.write_as(i, g.data(), DType::f64, store.grad_data(i));
  }
}

/// The parameters after some steps.
std::vector<std::vector<double>> after_steps(const AnyOptimizer& rule, double lr, const std::vector<ParamGroup>& groups,
                                             bool decay_all = true) {
  ParamStore store = some();
  Optimizer optimizer(rule, store, host::host_math(), param_spans(store, groups, decay_all));
  for (int step = 0; step < 4; ++step) draw_gradients(store, step), optimizer.step(store, lr);
  std::vector<std::vector<double>> all;
  for (int i = 0; i < store.size(); ++i) all.push_back(store.read(i));
  return all;
}

AnyOptimizer with_decay(AnyOptimizer rule, double decay) {
  std::visit([&](auto& r) { r.weight_decay = decay; }, rule);
  return rule;
}

const std::vector<AnyOptimizer> optimizers{Sgd{.weight_decay = 0.1}, Sgd{.momentum = 0.9, .weight_decay = 0.1},
                                           Sgd{.momentum = 0.9, .nesterov = true, .weight_decay = 0.1},
                                           Adam{.weight_decay = 0.1}, AdamW{.weight_decay = 0.1}};

}  // namespace

TEST_CASE("groups: without any there is one stretch, and neighbours that are trained alike share one") {
  const ParamStore store = some();
  const auto all = param_spans(store);
  REQUIRE(all.size() == 1);
  CHECK(all[0].offset == 0);
  CHECK(all[0].elements == store.trained_elements());
  CHECK(param_spans(store, {{"*", 1}}).size() == 1);
  const auto two = param_spans(store, {{.pattern = "b.*", .rate = 0.5}});
  REQUIRE(two.size() == 3);
  CHECK(two[1].offset == store.offset(1));
  CHECK(two[1].elements == 120 + 16);  // padded to whole lines of 8
  CHECK(two[2].rate == 1);
  const auto frozen = param_spans(store, {{.pattern = "b.weight", .frozen = true}});
  REQUIRE(frozen.size() == 2);
  CHECK(frozen[0].elements == 40);
  CHECK(frozen[1].offset == store.offset(3));
  CHECK(param_spans(store, {{.pattern = "*", .frozen = true}}).empty());
  CHECK(frozen_by(store, {{.pattern = "b.*", .frozen = true}}) == std::vector<char>{0, 1, 0, 1, 0});
}

TEST_CASE("groups: every one is trained as if its settings were the optimiser's, and frozen ones stay to the bit") {
  for (const AnyOptimizer& rule : optimizers) {
    CAPTURE(text_of(rule));
    const auto start = after_steps(rule, 0, {{.pattern = "*", .frozen = true}});
    const auto plain = after_steps(rule, 0.01, {}), slow = after_steps(rule, 0.01 * 0.25, {}),
               other = after_steps(with_decay(rule, 0.5), 0.01, {});
    const auto found = after_steps(rule, 0.01,
                                   {{.pattern = "*", .frozen = true},
                                    {.pattern = "a.*"},  // the last group that matches says all
                                    {.pattern = "b.weight", .rate = 0.25},
                                    {.pattern = "c", .weight_decay = 0.5}});
    CHECK(found[0] == plain[0]);
    CHECK(found[1] == slow[1]);
    CHECK(found[3] == start[3]);
    CHECK(found[4] == other[4]);
    CHECK(plain[3] != start[3]);
    CHECK(plain[4] != other[4]);
    CHECK(plain[1] != slow[1]);
  }
}

TEST_CASE("groups: no decay on norms and biases leaves out one dimension, unless a group says otherwise") {
  for (const AnyOptimizer& rule : optimizers) {
    CAPTURE(text_of(rule));
    const auto plain = after_steps(rule, 0.01, {}), none = after_steps(with_decay(rule, 0), 0.01, {});
    const auto found = after_steps(rule, 0.01, {{.pattern = "c", .weight_decay = 0.1}}, false);
    CHECK(found[0] == plain[0]);
    CHECK(found[1] == plain[1]);
    CHECK(found[3] == none[3]);
    CHECK(found[4] == plain[4]);
    CHECK(none[3] != plain[3]);
  }
}

TEST_CASE("groups: bad ones are refused by name") {
  const ParamStore store = some();
  const auto text = error_of([&] { param_spans(store, {{"b.wight"}}); });
  CHECK(has(text, "\"b.wight\" matches no parameter; names that come close: b.weight, a.weight"));
  CHECK(has(error_of([&] { param_spans(store, {{"mean"}}); }), "matches no parameter"));  // a buffer
  CHECK(has(error_of([&] { param_spans(store, {{.pattern = "c", .rate = -1}}); }), "\"c\": its rate is -1"));
  CHECK(has(error_of([&] { param_spans(store, {{.pattern = "c", .rate = NAN}}); }), "rate is nan"));
  CHECK(has(error_of([&] { param_spans(store, {{.pattern = "c", .weight_decay = -2}}); }), "weight decay -2"));
  CHECK(text_of(std::vector<ParamGroup>{{.pattern = "a.*", .frozen = true},
                                        {.pattern = "*.bias", .rate = 2, .weight_decay = 0}}) ==
        "a.* frozen; *.bias rate 2, weight decay 0");
}

TEST_CASE("the norm of gradients leaves out what is frozen") {
  ParamStore store = some();
  draw_gradients(store, 0);
  double square = 0;
  for (const int i : {1, 4})
    for (double g : store.read_grad(i)) square += g * g;
  GradientNorm norm;
  const auto spans = param_spans(
      store, {{.pattern = "a*", .frozen = true}, {.pattern = "*.bias", .frozen = true}, {.pattern = "c", .rate = 2}});
  CHECK(norm.norm(store, spans) == doctest::Approx(std::sqrt(square)).epsilon(1e-12));
  store.set_frozen(0, true), store.set_frozen(3, true);
  CHECK(norm.norm(store) == doctest::Approx(std::sqrt(square)).epsilon(1e-12));
}

namespace {

/// All values of the parameters whose names match.
std::string bits_of(const ParamStore& store, const std::string& pattern) {
  std::string bits;
  for (int i = 0; i < store.size(); ++i)
    if (store.spec(i).trained && glob_matches(pattern, store.spec(i).name)) {
      const auto v = store.read(i);
      bits.append(reinterpret_cast<const char*>(v.data()), v.size() * sizeof(double));
    }
  return bits;
}

TrainOpts opts(std::vector<ParamGroup> groups = {}) {
  return {.epochs = 2,
          .optimizer = AdamW{.weight_decay = 0.1},
          .groups = std::move(groups),
          .schedule = schedule::Constant{1e-2},
          .clip_norm = 1,
          .progress = silent()};
}

}  // namespace

TEST_CASE("fit: a group of everything is no group at all, to the bit; frozen parameters stay to the bit") {
  const auto set = tiny_images(44);
  const auto trained = [&](const TrainOpts& o, const auto& look) {
    data::Loader train(set, tiny_loader());
    TinyModel model({.n = 8, .h = 8, .w = 8});
    fit(model, train, o);
    return look(model.params());
  };
  const auto all = [](const ParamStore& s) { return bits_of(s, "*"); };
  const std::string truth = trained(opts(), all);
  CHECK((trained(opts({{"*"}}), all) == truth));

  data::Loader train(set, tiny_loader());
  TinyModel model({.n = 8, .h = 8, .w = 8});
  const std::string before = bits_of(model.params(), "conv1.*"), expert = bits_of(model.params(), "mix.experts.1.*"),
                    fc = bits_of(model.params(), "fc.*");
  TrainOpts o = opts({{.pattern = "conv1.*", .frozen = true}, {.pattern = "mix.experts.1.*", .frozen = true}});
  double norm = 0;
  o.on_step = [&](const StepInfo& s) { norm = s.gradient_norm; };
  fit(model, train, o);
  CHECK((bits_of(model.params(), "conv1.*") == before));
  CHECK((bits_of(model.params(), "mix.experts.1.*") == expert));
  CHECK((bits_of(model.params(), "fc.*") != fc));
  CHECK(norm > 0);
  fit(model, train, opts());  // free again
  CHECK((bits_of(model.params(), "conv1.*") != before));
  CHECK((bits_of(model.params(), "mix.experts.1.*") != expert));
  CHECK(has(error_of([&] { fit(model, train, opts({{.pattern = "*", .frozen = true}})); }), "nothing to train"));
}

TEST_CASE("a run goes on with its own groups alone") {
  const auto set = tiny_images(44);
  const Scratch out;
  const auto sit = [&](TrainOpts o) {
    data::Loader train(set, tiny_loader());
    TinyModel model({.n = 8, .h = 8, .w = 8});
    o.out = out.dir(), o.start = Start::resume_or_fresh;
    fit(model, train, o);
    return bits_of(model.params(), "*");
  };
  const std::vector<ParamGroup> groups{{.pattern = "conv1.*", .frozen = true}, {.pattern = "fc.*", .rate = 3}};
  TrainOpts first = opts(groups);
  first.max_steps = 4;
  sit(first);
  const auto text = error_of([&] { sit(opts()); });
  INFO(text);
  CHECK(has(text, "parameter groups was 'conv1.* frozen; fc.* rate 3', is now not given"));
  TrainOpts decay = opts(groups);
  decay.no_decay_on_norms_and_biases = true;
  CHECK(has(error_of([&] { sit(decay); }), "weight decay on norms and biases was not given, is now 'off'"));
  const std::string resumed = sit(opts(groups));

  data::Loader train(set, tiny_loader());
  TinyModel model({.n = 8, .h = 8, .w = 8});
  fit(model, train, opts(groups));
  CHECK((bits_of(model.params(), "*") == resumed));
}

TEST_CASE("fit: frozen norms belong to the settings of a run") {
  const auto set = tiny_images(44);
  const Scratch out;
  const auto sit = [&](std::vector<std::string> frozen) {
    data::Loader train(set, tiny_loader());
    TinyModel model({.n = 8, .h = 8, .w = 8}, {.frozen_norms = std::move(frozen)});
    const std::string before = bits_of(model.params(), "bn1.*");
    TrainOpts o = opts();
    o.out = out.dir(), o.start = Start::resume_or_fresh;
    fit(model, train, o);
    return bits_of(model.params(), "bn1.*") == before;
  };
  CHECK(sit({"bn1"}));
  const auto text = error_of([&] { sit({}); });
  INFO(text);
  CHECK(has(text, "batch norm was 'momentum 0.1, eps 1e-05, frozen"));
}
