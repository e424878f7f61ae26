#include "moecnn/graph/plan.hpp"

#include "graph/random_graphs.hpp"
#include "moecnn/model/model.hpp"
#include "moecnn/zoo/cifar_moe.hpp"

#include <doctest/doctest.h>
#include <map>

using namespace moecnn;

namespace {

/// Runs a plan without computing anything: each block of the arena remembers its last writer, and a
/// reader must find the value that it expects. Independent of the lifetimes that the plan worked with.
class Rehearsal {
 public:
  template <class Program>
  explicit Rehearsal(const Program& program)
      : g_(program.graph()), flow_(program.flow()), plan_(program.plan()), keep_(program.opts().keep) {
    for (const auto& kernel : program.lowered().kernels) needs_.push_back(kernel->needs());
    blocks_.assign(plan_.arena_bytes / 64, -1);
  }

  /// "" or what went wrong first.
  std::string run() {
    const int nodes = static_cast<int>(g_.nodes.size());
    write(plan_.value[g_.input], value(g_.input));  // the images
    for (int n = 0; n < nodes && trouble_.empty(); ++n) forward(n);
    for (int e : flow_.seeds) write(plan_.grad[e], grad(e));
    for (int n = nodes; n-- > 0 && trouble_.empty();) {
      for (int m : plan_.rebuilds[n]) rebuild(m, n);
      if (flow_.runs_backward[n]) backward(n);
    }
    where_ = "after the run";
    for (int e : g_.outputs) read(plan_.value[e], value(e), "a result");
    for (int e : keep_) read(plan_.value[e], value(e), "a value that was to be kept");
    if (flow_.edge_grad[g_.input]) read(plan_.grad[g_.input], grad(g_.input), "the gradient of the images");
    return trouble_;
  }

 private:
  // Tokens of what can lie in memory.
  int value(int e) const { return 2 * e; }
  int grad(int e) const { return 2 * e + 1; }
  int saved(int n, std::size_t i) const { return 1'000'000 + 100 * n + static_cast<int>(i); }

  void forward(int n) {
    const Node& node = g_.nodes[n];
    where_ = fmt::format("forward of node {} ({})", n, node.name);
    written_.clear();
    std::vector<int> held;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      read(plan_.value[node.inputs[i]], value(node.inputs[i]), "an input");
      if (static_cast<int>(i) != needs_[n].inplace_forward) held.push_back(plan_.value[node.inputs[i]]);
    }
    write(plan_.value[node.output], value(node.output));
    for (std::size_t i = 0; i < plan_.saved[n].size(); ++i) write(plan_.saved[n][i], saved(n, i));
    write(plan_.scratch[n][0], -1);
    stays(held, plan_.value[node.output]);
  }

  void rebuild(int n, int before) {
    const Node& node = g_.nodes[n];
    where_ = fmt::format("rebuild of node {} ({}) for node {}", n, node.name, before);
    written_.clear();
    std::vector<int> held;
    if (!needs_[n].rebuilds_output) complain("its kernel cannot do that");
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      read(plan_.value[node.inputs[i]], value(node.inputs[i]), "an input");
      held.push_back(plan_.value[node.inputs[i]]);
    }
    for (std::size_t i = 0; i < plan_.saved[n].size(); ++i) {
      read(plan_.saved[n][i], saved(n, i), "a saved tensor");
      held.push_back(plan_.saved[n][i]);
    }
    write(plan_.scratch[n][0], -1);
    write(plan_.value[node.output], value(node.output));
    stays(held, -1);
  }

  void backward(int n) {
    const Node& node = g_.nodes[n];
    where_ = fmt::format("backward of node {} ({})", n, node.name);
    written_.clear();
    std::vector<int> held;
    const auto need = [&](int buffer, int token, const char* what) {
      read(buffer, token, what);
      held.push_back(buffer);
    };
    const bool flows = flow_.edge_grad[node.output];
    if (flows) read(plan_.grad[node.output], grad(node.output), "the output's gradient");
    if (flows && needs_[n].inplace_backward < 0) held.push_back(plan_.grad[node.output]);
    for (std::size_t i = 0; i < node.inputs.size(); ++i)
      if (needs_[n].keeps_input[i]) need(plan_.value[node.inputs[i]], value(node.inputs[i]), "a kept input");
    if (needs_[n].keeps_output) need(plan_.value[node.output], value(node.output), "the kept output");
    for (std::size_t i = 0; i < plan_.saved[n].size(); ++i) need(plan_.saved[n][i], saved(n, i), "a saved tensor");
    write(plan_.scratch[n][1], -1);
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const int e = node.inputs[i];
      if (flow_.input_mode[n][i] == GradMode::ignore) continue;
      if (flow_.input_mode[n][i] == GradMode::accumulate) read(plan_.grad[e], grad(e), "a gradient to add to");
      const bool takes_over = flows && plan_.grad[e] == plan_.grad[node.output];
      if (takes_over && static_cast<int>(i) != needs_[n].inplace_backward)
        complain("the gradient of input {} lies where the output's gradient lies", i);
      write(plan_.grad[e], grad(e));
    }
    stays(held, -1);
  }

  void read(int buffer, int token, const char* what) {
    if (buffer < 0) return complain("{} has no memory", what);
    const Buffer& b = plan_.buffers[buffer];
    for (std::size_t i = b.offset / 64; i < (b.offset + b.bytes) / 64; ++i)
      if (blocks_[i] != token) return complain("{} (token {}) is gone, token {} lies there", what, token, blocks_[i]);
  }
  void write(int buffer, int token) {
    if (buffer < 0) return;
    const Buffer& b = plan_.buffers[buffer];
    if (b.offset % 64 != 0 || b.offset + b.bytes > plan_.arena_bytes) return complain("a buffer lies at {}", b.offset);
    std::fill(blocks_.begin() + b.offset / 64, blocks_.begin() + (b.offset + b.bytes) / 64, token);
    written_.push_back(buffer);
  }
  /// The inputs of a kernel must not lie under its outputs, `but` aside.
  void stays(const std::vector<int>& held, int but) {
    for (int h : held)
      for (int w : written_)
        if (h != but && w != but && overlap(h, w)) complain("it writes over what it reads");
    for (int h : held)
      if (but >= 0 && h == but) complain("its output lies over an input that may not be taken over");
    for (std::size_t i = 0; i < written_.size(); ++i)
      for (std::size_t j = 0; j < i; ++j)
        if (written_[i] != written_[j] && overlap(written_[i], written_[j])) complain("two of its results overlap");
  }
  bool overlap(int a, int b) const {
    const Buffer &x = plan_.buffers[a], &y = plan_.buffers[b];
    return x.offset < y.offset + y.bytes && y.offset < x.offset + x.bytes;
  }
  template <class... Args>
  void complain(fmt::format_string<Args...> text, Args&&... args) {
    if (trouble_.empty()) trouble_ = where_ + ": " + fmt::vformat(text, fmt::make_format_args(args...));
  }

  const Graph& g_;
  const Flow& flow_;
  const Plan& plan_;
  std::vector<int> keep_;
  std::vector<NodeNeeds> needs_;
  std::vector<int> blocks_, written_;
  std::string where_, trouble_;
};

using Double = backend::Reference<double>;

std::string check_plan(const Program& program) {
  const Plan& p = program.plan();
  std::size_t sum = 0;
  for (const Buffer& b : p.buffers)
    if (b.used()) sum += b.bytes;
  if (sum != p.total_bytes) return "the sum of all buffers is wrong";
  if (p.arena_bytes > p.total_bytes) return "the arena is larger than separate allocations";
  for (std::size_t i = 0; i < p.buffers.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) {
      const Buffer &a = p.buffers[i], &b = p.buffers[j];
      if (a.used() && b.used() && a.lives_with(b) && a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes)
        return fmt::format("buffers {} and {} live at the same time and overlap", j, i);
    }
  return Rehearsal(program).run();
}

std::string check_plans(const Graph& g, const std::vector<int>& keep) {
  test::Rig<Double> rig;
  if (auto t = check_plan(rig.add_training(g, keep)); !t.empty()) return "training, as recorded: " + t;
  if (auto t = check_plan(rig.add_training(test::fused(g, keep), keep)); !t.empty()) return "training: " + t;
  // Gradients that come from outside, at the result and in the middle.
  const int middle = g.nodes[g.nodes.size() / 2].output;
  ProgramOpts seeded{.training = true, .input_grad = true, .seeds = {g.outputs[0], middle}, .keep = keep};
  for (const Rebuild rebuild : {Rebuild::never, Rebuild::where_cheap, Rebuild::always}) {
    seeded.rebuild = rebuild;
    if (auto t = check_plan(rig.add(g, seeded)); g.edges[middle].routing < 0 && !t.empty()) return "seeds: " + t;
  }
  if (auto t = check_plan(rig.add(g, {.keep = keep})); !t.empty()) return "inference, as recorded: " + t;
  if (auto t = check_plan(rig.add(test::folded(g, keep), {.keep = keep})); !t.empty()) return "inference: " + t;
  // Kernels have scratch memory for copies there, also when they make an output again.
  test::Rig<backend::Reference<float>> low{.precision = Precision::bf16};
  if (auto t = check_plan(low.add_training(test::fused(g, keep), keep)); !t.empty()) return "training in bf16: " + t;
  return "";
}

}  // namespace

TEST_CASE("plans of random networks: nothing living overlaps, whoever reads finds what was written") {
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    CAPTURE(seed);
    const Graph g = graph_test::random_graph(seed, 4 + static_cast<int>(seed % 20));
    const int some = static_cast<int>(seed % g.nodes.size());
    CHECK(check_plans(g, {}) == "");
    CHECK(check_plans(g, {g.nodes[some].output}) == "");
  }
}

TEST_CASE("plans of the real networks") {
  for (const int position : {0, 1, 4})
    for (const char* rule : {"none", "relative"}) {
      CAPTURE(position);
      const CifarMoENet net{.position = position, .constraint = constraint::by_name(rule)};
      const Graph g = record(net, {2, 8, 8});
      CHECK(check_plans(g, rule[0] == 'n' ? std::vector<int>{}
                                          : std::vector{g.find_edge("layer2"), g.find_edge("layer4")}) == "");
    }
}

TEST_CASE("random networks: gradients, passes and stale memory") {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    CHECK(test::check_graph(graph_test::random_graph(seed, 10), {.elements = 1}) == "");
  }
}

TEST_CASE("inference needs far less memory than training, and training less than separate allocations") {
  const Graph g = record(CifarMoENet{.position = 4}, {8, 32, 32});
  test::Rig<backend::Reference<float>> rig;
  const auto training = rig.add_training(test::fused(g)).plan(), inference = rig.add(test::folded(g), {}).plan();
  CHECK(inference.arena_bytes * 3 < training.arena_bytes);
  CHECK(training.arena_bytes * 10 < training.total_bytes * 9);
}

TEST_CASE("memory of activations does not grow with the number of experts") {
  const auto arena = [](int experts) {
    test::Rig<backend::Reference<float>> rig;
    return rig.add_training(test::fused(record(CifarMoENet{.position = 1, .experts = experts}, {4, 32, 32})))
        .plan()
        .arena_bytes;
  };
  CHECK(arena(32) < arena(4) + arena(4) / 100);  // a few numbers per expert: saved moments
}

TEST_CASE("a buffer lives from its first to its last touch") {
  Buffer a{.bytes = 10}, b{.bytes = 10};
  CHECK_FALSE(a.used());
  a.life.touch(3), a.life.touch(1);
  b.life.touch(4);
  CHECK(a.used());
  CHECK_FALSE(a.lives_with(b));
  a.life.touch(4);
  CHECK(b.lives_with(a));
}

TEST_CASE("values are made again where that was asked for, cheap ones before heavy convolutions only") {
  Graph g;
  Recorder r(g);
  const Value<40> x{r.record(ops::Input{}, {}, 40, {2, 6, 6})};
  g.input = x.edge;
  const auto heavy = r("heavy", Conv<40, 40, ConvOpts{.kernel = 3, .pad = 1}>{}, r("bn1", BatchNorm<40>{}, x));
  const auto bent = r("bent", PRelu<40>{}, r("bn2", BatchNorm<40>{}, heavy));
  const auto light = r("light", Conv<40, 8>{}, bent);
  g.outputs = {r("end", Conv<8, 8, ConvOpts{.kernel = 3}>{}, r("bn3", BatchNorm<8>{}, light)).edge};
  const auto remade = [&](Rebuild rebuild) {
    test::Rig<Double> rig;
    std::string names;
    for (const auto& list : rig.add(g, {.training = true, .seeds = g.outputs, .rebuild = rebuild}).plan().rebuilds)
      for (int n : list) names += g.nodes[n].name + ' ';
    return names;
  };
  CHECK(remade(Rebuild::never) == "");
  CHECK(remade(Rebuild::where_cheap) == "bn1 ");
  CHECK(remade(Rebuild::always) == "bn1 bn2 bent bn3 ");
}

TEST_CASE("between its two lives a buffer's memory is free") {
  Buffer a{.bytes = 10, .life = {1, 2}, .second_life = {7, 9}};
  const auto meets = [&](int first, int last) {
    const Buffer b{.bytes = 10, .life = {first, last}};
    CHECK(a.lives_with(b) == b.lives_with(a));
    return a.lives_with(b);
  };
  CHECK(meets(2, 3));
  CHECK_FALSE(meets(3, 6));
  CHECK(meets(6, 7));
  CHECK(meets(0, 12));
  CHECK_FALSE(meets(10, 12));
  CHECK_FALSE(a.lives_with({.bytes = 10, .life = {3, 3}, .second_life = {5, 6}}));
  CHECK(a.lives_with({.bytes = 10, .life = {3, 3}, .second_life = {5, 8}}));
}
