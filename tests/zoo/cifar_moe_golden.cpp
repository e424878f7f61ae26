// Whole networks against PyTorch's double-precision values: logits, gate weights, one training step, constraint states.
// tests/golden/README.md says how both sides fill parameters and images. MOECNN_TEST_FULL=1 runs every case in both
// scalars; without it a few are left out that differ from others in the balance loss alone.
#include "graph_runs.hpp"
#include "io/scratch.hpp"
#include "moecnn/graph/passes/set_k.hpp"
#include "moecnn/io/json.hpp"
#include "moecnn/io/tensor_file.hpp"
#include "moecnn/zoo/cifar_moe.hpp"
#include "zoo/golden_fill.hpp"

#include <doctest/doctest.h>
#include <cstdlib>

using namespace moecnn;
using namespace zoo_test;

namespace {

using io::Json;

/// Cases share most of their parameters, so they are computed once.
const std::vector<float>& known(const ParamSpec& p, std::uint64_t seed) {
  static std::map<std::string, std::vector<float>> all;
  auto& values = all[fmt::format("{} {} {}", p.name, p.elements(), seed)];
  if (values.empty()) values = filled(p, seed);
  return values;
}

struct Tolerances {
  double logits, weights, change, statistics, loss;
};

struct Case {
  Json about;
  io::TensorFile file;
  int rows, size;

  std::string text(const char* what) const { return about[what].text(); }
  int number(const char* what) const { return static_cast<int>(about[what].whole()); }

  CifarMoENet net() const {
    CifarMoENet n{.position = number("position"), .experts = number("experts"), .k = number("k")};
    const std::string rule = text("constraint");
    n.gate = gate::by_name(text("gate"));
    (rule == "relative" || rule == "mean") ? void(n.constraint = constraint::by_name(rule))
                                           : void(n.balance = balance::by_name(rule));
    return n;
  }
  Extent images() const { return {rows, size, size}; }
  std::uint64_t seed() const { return static_cast<std::uint64_t>(number("seed")); }
  std::vector<double> read(const std::string& name) const { return file.read<double>(name); }

  /// Batch b of the three.
  test::Batch batch(int b) const {
    const Rng labels(seed(), Purpose::other, hash_name("labels"));
    test::Batch out;
    out.images = filled_images(seed(), static_cast<std::size_t>(rows), static_cast<std::size_t>(size * size),
                               static_cast<std::size_t>(b * rows));
    for (int r = b * rows; r < (b + 1) * rows; ++r) out.labels.push_back(static_cast<int>(labels.below(100, r)));
    return out;
  }
};

std::vector<double> flat(const Matrix& m) { return {m.flat().begin(), m.flat().end()}; }

using Changes = std::vector<std::vector<double>>;

/// Runs and compares everything that the case's file holds. Returns the change of every parameter; where `truth` is
/// given, the changes are compared with it, whole, instead of with the file's summaries: in float an activation next to
/// 0 may fall on the other side of a ReLU, which sixteen elements make too much of.
template <class T>
Changes compare(const Case& c, const Tolerances& allowed, const Changes* truth = nullptr) {
  CAPTURE(c.text("name"));
  const bool mixture = c.number("position") != 0;
  test::Rig<backend::Reference<T>> rig;
  Graph graph = record(c.net(), c.images());
  Graph with_loss = graph;
  with_loss.outputs.push_back(Recorder(with_loss).cross_entropy(graph.outputs[0]));
  auto& training = rig.add(test::fused(std::move(with_loss)), {.training = true});
  for (int i = 0; i < rig.store.size(); ++i) {
    const auto& v = known(rig.store.spec(i), c.seed());
    rig.store.write(i, v.data());
  }

  const auto evaluate = [&](int k, StepContext step, const std::string& key) {
    CAPTURE(key);
    Graph g = graph;
    if (k != c.number("k")) passes::set_k(g, k);
    auto& program = rig.add(test::folded(std::move(g)), {});
    const auto batch = c.batch(0);
    program.set_images(batch.images.data());
    program.forward(step);
    const auto y = program.read(program.graph().outputs[0]);
    CHECK(test::distance({y.begin(), y.end()}, c.read(key + "/logits")) < allowed.logits);
    if (c.file.contains(key + "/gate_weights"))
      CHECK(test::distance(flat(program.routings()[0].weights), c.read(key + "/gate_weights")) < allowed.weights);
    if (c.file.contains(key + "/gate_logits"))
      CHECK(test::distance(flat(program.routings()[0].logits), c.read(key + "/gate_logits")) < allowed.weights);
    rig.programs.pop_back();
  };
  evaluate(c.number("k"), {}, "eval");
  for (int k = 1; c.file.contains("eval/k" + std::to_string(k) + "/logits"); ++k)
    evaluate(k, {}, "eval/k" + std::to_string(k));
  for (int e = 0; c.file.contains("eval/fixed" + std::to_string(e) + "/logits"); ++e)
    evaluate(c.number("k"), {.fixed_expert = e}, "eval/fixed" + std::to_string(e));
  if (c.file.contains("eval/equal/logits")) evaluate(c.number("experts"), {.equal_weights = true}, "eval/equal");

  const int steps = c.number("steps");
  for (int t = 0; t < steps; ++t) {
    const std::string key = "batch" + std::to_string(t);
    CAPTURE(key);
    const auto batch = c.batch(t);
    const StepContext step{.training = true, .step = static_cast<std::uint64_t>(t), .noise_off = true};
    training.set_images(batch.images.data());
    training.set_labels(batch.labels.data());
    training.forward(step);
    CHECK(std::abs(training.loss() / c.read(key + "/task_loss")[0] - 1) < allowed.loss);
    CHECK(std::abs(training.balance_loss() - c.read(key + "/balance_loss")[0]) < allowed.loss);
    if (t == steps - 1) training.backward(step);
    if (!mixture) continue;
    const Routing& r = training.routings()[0];
    CHECK(test::distance(flat(r.weights), c.read(key + "/gate_weights")) < allowed.weights);
    CHECK(test::distance(flat(r.logits), c.read(key + "/gate_logits")) < allowed.weights);
    if (!c.file.contains(key + "/barred")) continue;
    const auto barred = c.file.template read<std::int64_t>(key + "/barred");
    CHECK(std::equal(barred.begin(), barred.end(), r.barred.begin(), r.barred.end()));
    const auto state = rig.store.state(0);
    CHECK(test::distance({state.begin(), state.end()}, c.read(key + "/state")) < allowed.weights);
  }
  Changes changes(static_cast<std::size_t>(rig.store.size()));
  for (int i = 0; i < rig.store.size() && steps > 0; ++i) {
    const ParamSpec& p = rig.store.spec(i);
    CAPTURE(p.name);
    const auto n = static_cast<std::size_t>(p.elements());
    if (p.trained) {
      auto& change = changes[static_cast<std::size_t>(i)];
      change = rig.store.read_grad(i);
      for (double& x : change) x *= -0.1;
      if (truth)
        CHECK(test::distance(change, (*truth)[static_cast<std::size_t>(i)]) < allowed.change);
      else
        CHECK(summary_distance(summary(change), c.read("change/" + p.name), n) < allowed.change);
    } else {
      const auto now = rig.store.read(i);
      CHECK(summary_distance(summary({now.begin(), now.end()}), c.read("after/" + p.name), n) < allowed.statistics);
    }
  }
  if (steps > 0) {  // nothing in the file was overlooked
    std::size_t compared = 0;
    for (const auto& name : c.file.names()) compared += name.starts_with("change/") || name.starts_with("after/");
    CHECK(compared == static_cast<std::size_t>(rig.store.size()));
  }
  return changes;
}

template <class F>
void for_each_case(const F& visit) {
  const std::string path = "tests/golden/nets.json";
  const Json table = Json::parse(bytes_of(path), path);
  CHECK(table["cases"].size() >= 16);
  for (const Json& about : table["cases"].elements())
    visit(Case{about, io::TensorFile::open("tests/golden/" + about["file"].text()),
               static_cast<int>(table["rows"].whole()), static_cast<int>(table["size"].whole())});
}

bool full() { return std::getenv("MOECNN_TEST_FULL") != nullptr; }

}  // namespace

TEST_CASE("networks equal PyTorch's in double, and in float as far as floats can") {
  int in_float = 0;
  for_each_case([&](const Case& c) {
    const std::string name = c.text("name");
    if (!full() && (name.ends_with("gap_none") || name == "pos1_n4_gap_kl") && c.number("steps") != 0) return;
    const Changes truth =
        compare<double>(c, {.logits = 1e-9, .weights = 1e-9, .change = 1e-8, .statistics = 1e-9, .loss = 1e-9});
    // In float a few of each kind will do, the double ones have gone through the same code.
    if (!full() && name != "plain" && name != "pos1_n4_gap_importance" && name != "pos4_n4_gap_relative") return;
    // In this case one activation of -2e-8 comes out positive in float, and gradients behind it differ by up to 3 %.
    const double change = name == "pos1_n4_gap_relative" ? 5e-2 : 2e-2;
    compare<float>(c, {.logits = 1e-5, .weights = 1e-5, .change = change, .statistics = 1e-4, .loss = 1e-5}, &truth);
    ++in_float;
  });
  CHECK(in_float >= 3);
  if (!full()) MESSAGE("in float: ", in_float, " networks; MOECNN_TEST_FULL=1 compares all");
}
