#pragma once
/// Runs a recorded graph on a backend and hands everything back as doubles, so that any two runs can be compared.

#include "moecnn/backend/reference.hpp"
#include "moecnn/graph/passes/drop_dropout.hpp"
#include "moecnn/graph/passes/drop_unused.hpp"
#include "moecnn/graph/passes/fold_batch_norm.hpp"
#include "moecnn/graph/passes/fuse_conv_activation.hpp"
#include "moecnn/graph/passes/fuse_norm_activation.hpp"
#include "moecnn/graph/recorder.hpp"
#include "moecnn/model/program.hpp"

#include <string>

// Compiled once, in shared_kernels.cpp and reference_kernels.cpp.
extern template std::unique_ptr<moecnn::Kernel<float>> moecnn::reference::make_kernel<float>(const Graph&, const Flow&,
                                                                                             int);
extern template std::unique_ptr<moecnn::Kernel<double>> moecnn::reference::make_kernel<double>(const Graph&,
                                                                                               const Flow&, int);

namespace moecnn::test {

/// A program with parameters and memory of its own. Gradients start at the graph's result, with the slope `c` of
/// `Batch`: the loss is ⟨c, result⟩ plus the balance losses. A graph that ends in a loss needs no slope.
template <class Backend>
struct Rig {
  using T = typename Backend::scalar;
  ParamStore<T> store;
  Arena arena;
  std::vector<std::unique_ptr<Program<Backend>>> programs;

  Program<Backend>& add(Graph g, ProgramOpts opts) {
    programs.push_back(std::make_unique<Program<Backend>>(std::move(g), store, arena, std::move(opts)));
    return *programs.back();
  }
  Program<Backend>& add_training(Graph g, std::vector<int> keep = {}) {
    const bool has_loss = std::holds_alternative<ops::CrossEntropy>(g.nodes.back().op);
    const std::vector<int> seeds = has_loss ? std::vector<int>{} : std::vector<int>{g.outputs[0]};
    // Whatever can be made again is, so that every check of gradients covers that, too.
    return add(
        std::move(g),
        {.training = true, .input_grad = true, .seeds = seeds, .keep = std::move(keep), .rebuild = Rebuild::always});
  }
};

/// What goes in: images, the slope of the result, labels for graphs with a loss.
struct Batch {
  std::vector<double> images, c;
  std::vector<int> labels;
};

/// What comes out. Empty vectors where there is nothing.
struct Outcome {
  double loss = 0;
  std::vector<double> result, input_grad;
  std::vector<std::vector<double>> param_grad;  ///< per parameter
  std::vector<std::vector<double>> buffers;     ///< per parameter that is not trained: its value afterwards
  std::vector<double> state;                    ///< of all constraints
  std::vector<Routing> routings;
};

inline std::vector<double> random_numbers(std::uint64_t seed, const std::string& what, std::size_t n) {
  const Rng rng(seed, Purpose::other, hash_name(what));
  std::vector<double> v(n);
  for (std::size_t i = 0; i < n; ++i) v[i] = rng.normal(i);
  return v;
}

/// Noise around a colour per image, so that images differ in what a gate sees. All numbers are floats.
inline Batch random_batch(const Graph& g, std::uint64_t seed) {
  const Edge& in = g.edges[g.input];
  Batch b;
  b.images = random_numbers(seed, "images", static_cast<std::size_t>(in.elements()));
  const auto colour = random_numbers(seed, "colours", static_cast<std::size_t>(in.extent.n) * in.channels);
  for (std::size_t i = 0; i < b.images.size(); ++i)
    b.images[i] = static_cast<float>(b.images[i] + 1.5 * colour[i / static_cast<std::size_t>(in.extent.pixels())]);
  b.c = random_numbers(seed, "slope", static_cast<std::size_t>(g.edges[g.outputs[0]].elements()));
  for (double& v : b.c) v = static_cast<float>(v);
  const Rng rng(seed, Purpose::other, hash_name("labels"));
  // One per image, or one per pixel of the logits; every fifth is one that the loss ignores, if it ignores any.
  long long labels = in.extent.n;
  int classes = g.edges[g.outputs[0]].channels, ignore = -1;
  for (const Node& n : g.nodes)
    if (const auto* loss = std::get_if<ops::CrossEntropy>(&n.op)) {
      const Extent logits = g.edges[n.inputs[0]].extent;
      labels = logits.n * logits.pixels(), classes = loss->classes, ignore = loss->ignore;
    }
  for (long long i = 0; i < labels; ++i)
    b.labels.push_back(ignore >= 0 && i % 5 == 1 ? ignore
                                                 : static_cast<int>(rng.below(static_cast<std::uint64_t>(classes), i)));
  return b;
}

/// Values far from those of a fresh network, where scales are 1 and biases 0 and mistakes hide. All numbers are floats.
template <class T>
void fill(ParamStore<T>& store, std::uint64_t seed) {
  store.initialise(seed);
  for (int i = 0; i < store.size(); ++i) {
    const ParamSpec& p = store.spec(i);
    const std::string leaf = p.name.substr(p.name.rfind('.') + 1);
    const bool scale = p.shape.size() == 1 && leaf == "weight";
    const auto s = random_numbers(seed, p.name, static_cast<std::size_t>(p.elements()));
    std::vector<T> v = store.read(i);
    for (std::size_t j = 0; j < v.size(); ++j) {
      double x = v[j];
      if (scale) x = 1 + 0.3 * s[j];
      if (leaf == "bias" || leaf == "running_mean") x = 0.3 * s[j];
      if (leaf == "running_var") x = 0.5 + std::abs(s[j]);
      if (leaf == "weight" && p.name.find("gate.") != std::string::npos) x *= 3;  // experts that differ
      v[j] = static_cast<T>(static_cast<float>(x));
    }
    store.write(i, v.data());
  }
  // As if the first expert had been used more than its share, so that constraints bar it.
  for (int i = 0; i < static_cast<int>(store.states().size()); ++i) {
    const auto state = store.state(i);
    const bool steps = store.states()[i].name.ends_with("steps");
    for (std::size_t e = 0; e < state.size(); ++e) state[e] = steps ? 3.0 : e == 0 ? 0.9 : 0.1;
  }
}

/// Everything that a forward pass in training changes besides activations: running statistics and constraint states.
template <class T>
class Memory {
 public:
  explicit Memory(ParamStore<T>& store) : store_(store) {
    for (int i = 0; i < store.size(); ++i) buffers_.push_back(store.spec(i).trained ? std::vector<T>{} : store.read(i));
    for (int i = 0; i < static_cast<int>(store.states().size()); ++i)
      states_.emplace_back(store.state(i).begin(), store.state(i).end());
  }
  void restore() const {
    for (int i = 0; i < store_.size(); ++i)
      if (!store_.spec(i).trained) store_.write(i, buffers_[i].data());
    for (std::size_t i = 0; i < states_.size(); ++i)
      std::copy(states_[i].begin(), states_[i].end(), store_.state(static_cast<int>(i)).begin());
  }

 private:
  ParamStore<T>& store_;
  std::vector<std::vector<T>> buffers_;
  std::vector<std::vector<double>> states_;
};

/// Every byte of the arena becomes 0xFF, which is NaN in every floating-point type: memory that was not written in this
/// run must not be read in it.
inline void poison(Arena& arena) { std::memset(arena.data(), 0xFF, arena.bytes()); }

/// The same for the gradients of parameters that a backward pass reaches; the others' are 0.
template <class Backend>
void poison_gradients(ParamStore<typename Backend::scalar>& store, const Program<Backend>& program) {
  std::fill(store.gradients().begin(), store.gradients().end(), 0);
  for (std::size_t n = 0; n < program.graph().nodes.size(); ++n)
    for (std::size_t i = 0; i < program.flow().param_mode[n].size(); ++i)
      for (int e = 0; e < program.graph().nodes[n].copies; ++e) {
        const int id = program.graph().nodes[n].params[i] + e;
        if (program.flow().param_mode[n][i] != GradMode::ignore)
          std::fill_n(store.grad(id), store.stored_elements(id), std::numeric_limits<float>::quiet_NaN());
      }
}

/// ⟨c, result⟩, or the network's own loss, plus the balance losses.
template <class Backend>
double forward(Program<Backend>& program, const Batch& batch, const StepContext& step) {
  program.set_images(batch.images.data());
  program.set_labels(batch.labels.data());
  program.forward(step);
  const Graph& g = program.graph();
  if (std::holds_alternative<ops::CrossEntropy>(g.nodes.back().op)) return program.loss() + program.balance_loss();
  const auto y = program.read(g.outputs[0]);
  double loss = program.balance_loss();
  for (std::size_t i = 0; i < y.size(); ++i) loss += batch.c[i] * static_cast<double>(y[i]);
  return loss;
}

enum class Backward : bool { no, yes };

/// One run on poisoned memory; the network's memory is as before afterwards.
template <class Backend>
Outcome run(Rig<Backend>& rig, Program<Backend>& program, const Batch& batch, const StepContext& step,
            Backward backward = Backward::yes) {
  using T = typename Backend::scalar;
  const auto doubles = [](const std::vector<T>& v) { return std::vector<double>(v.begin(), v.end()); };
  const Memory<T> before(rig.store);
  const Graph& g = program.graph();
  poison(rig.arena);
  Outcome out;
  out.loss = forward(program, batch, step);
  out.result = doubles(program.read(g.outputs[0]));
  if (backward == Backward::yes) {
    poison_gradients(rig.store, program);
    for (int seed : program.opts().seeds) {
      const std::vector<T> c(batch.c.begin(), batch.c.end());
      program.seed(seed, c.data());
    }
    program.backward(step);
    if (program.flow().edge_grad[g.input]) {
      std::vector<T> dx(static_cast<std::size_t>(g.edges[g.input].elements()));
      program.read_grad(g.input, dx.data());
      out.input_grad = doubles(dx);
    }
  }
  for (int i = 0; i < rig.store.size(); ++i) {
    const ParamSpec& p = rig.store.spec(i);
    std::vector<T> dw(static_cast<std::size_t>(p.elements()));
    if (p.trained && backward == Backward::yes) rig.store.read_as(i, rig.store.grad(i), dw.data());
    out.param_grad.push_back(p.trained && backward == Backward::yes ? doubles(dw) : std::vector<double>{});
    out.buffers.push_back(p.trained ? std::vector<double>{} : doubles(rig.store.read(i)));
  }
  for (int i = 0; i < static_cast<int>(rig.store.states().size()); ++i)
    out.state.insert(out.state.end(), rig.store.state(i).begin(), rig.store.state(i).end());
  out.routings = program.routings();
  before.restore();
  return out;
}

/// The passes that Model applies to a training graph.
inline Graph fused(Graph g, const std::vector<int>& keep = {}) {
  passes::fuse_norm_activation(g, keep);
  return g;
}
/// The passes that Model applies to an inference graph.
inline Graph folded(Graph g, const std::vector<int>& keep = {}) {
  passes::drop_dropout(g, keep);
  passes::fuse_norm_activation(g, keep);
  passes::fold_batch_norm(g, keep);
  passes::fuse_conv_activation(g, keep);
  passes::drop_unused(g, /*drop_noise=*/true, keep);
  return g;
}

/// ‖a - b‖ / ‖b‖; the plain norm of the difference where b is 0, infinity where sizes differ or NaN stands.
inline double distance(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < a.size(); ++i) difference += (a[i] - b[i]) * (a[i] - b[i]), norm += b[i] * b[i];
  const double d = norm > 0 ? std::sqrt(difference / norm) : std::sqrt(difference);
  return d == d ? d : std::numeric_limits<double>::infinity();
}

inline double norm(const std::vector<double>& v) {
  double sum = 0;
  for (double x : v) sum += x * x;
  return std::sqrt(sum);
}

/// The name of the worst thing that differs between two outcomes of graphs with the same parameters, or "". Tensors whose
/// norm is below `floor` times the largest gradient's count as having that norm: a bias before a batch norm has the
/// gradient 0, of which only rounding errors remain.
inline std::string compare(const Outcome& a, const Outcome& b, const Graph& g, double tolerance, double floor = 1e-3) {
  double largest = norm(b.input_grad);
  for (const auto& v : b.param_grad) largest = std::max(largest, norm(v));
  std::string worst;
  double by = 1;
  const auto look = [&](const std::string& name, const std::vector<double>& x, const std::vector<double>& y,
                        double low) {
    double d = distance(x, y);
    if (low > 0 && std::isfinite(d) && norm(y) < low) d *= norm(y) > 0 ? norm(y) / low : 1 / low;
    if (d <= by * tolerance) return;
    by = d / tolerance;
    worst = fmt::format("{} differs by {:.3g} relative, allowed {:.3g}", name, d, tolerance);
  };
  for (std::size_t i = 0; i < a.routings.size() && i < b.routings.size(); ++i) {
    const auto x = a.routings[i].weights.flat(), y = b.routings[i].weights.flat();
    look("routing weights of " + g.routings[i].name, {x.begin(), x.end()}, {y.begin(), y.end()}, 0);
    look("balance loss of " + g.routings[i].name, {a.routings[i].balance_loss}, {b.routings[i].balance_loss}, 0);
  }
  look("the result", a.result, b.result, 0);
  look("the gradient of the images", a.input_grad, b.input_grad, floor * largest);
  for (std::size_t i = 0; i < a.param_grad.size() && i < b.param_grad.size(); ++i) {
    look("the gradient of " + g.params[i].name, a.param_grad[i], b.param_grad[i], floor * largest);
    look(g.params[i].name + " afterwards", a.buffers[i], b.buffers[i], 0);
  }
  look("the constraints' state", a.state, b.state, 0);
  return worst;
}

/// True if two outcomes agree in every bit.
inline bool identical(const Outcome& a, const Outcome& b) {
  const auto same = [](const std::vector<double>& x, const std::vector<double>& y) {
    return x.size() == y.size() && (x.empty() || std::memcmp(x.data(), y.data(), x.size() * sizeof(double)) == 0);
  };
  bool all = same({a.loss}, {b.loss}) && same(a.result, b.result) && same(a.input_grad, b.input_grad) &&
             same(a.state, b.state) && a.param_grad.size() == b.param_grad.size();
  for (std::size_t i = 0; all && i < a.param_grad.size(); ++i)
    all = same(a.param_grad[i], b.param_grad[i]) && same(a.buffers[i], b.buffers[i]);
  return all;
}

}  // namespace moecnn::test
