#pragma once
/// Runs a recorded graph on a backend and hands everything back as doubles, so that any two runs can be compared.

#include "moecnn/backend/reference.hpp"
#include "moecnn/graph/passes/pipelines.hpp"
#include "moecnn/graph/recorder.hpp"
#include "moecnn/model/program.hpp"
#include "moecnn/testing/random_run.hpp"

#include <string>

namespace moecnn::test {

using testing::Batch;
using testing::fill;
using testing::forward;
using testing::random_batch;
using testing::random_numbers;
using testing::Rig;
using testing::Snapshot;

/// Results. Empty vectors where there is nothing.
struct Outcome {
  double loss = 0;
  std::vector<double> result, input_grad;
  std::vector<std::vector<double>> param_grad;  ///< per parameter
  std::vector<std::vector<double>> buffers;     ///< per parameter that is not trained: its value afterwards
  std::vector<double> state;                    ///< of all constraints
  std::vector<Routing> routings;
};

/// Every byte of the arena becomes 0xFF, which is NaN in every floating-point type: memory that was not written in this
/// run must not be read in it.
inline void poison(Arena& arena) { std::memset(arena.data(), 0xFF, arena.bytes()); }

/// The same for the gradients of parameters that a backward pass reaches; the others' are 0.
inline void poison_gradients(ParamStore& store, const Program& program) {
  if (store.trained_bytes() > 0) std::memset(store.gradient_data(), 0, store.trained_bytes());
  for (std::size_t n = 0; n < program.graph().nodes.size(); ++n)
    for (std::size_t i = 0; i < program.flow().param_mode[n].size(); ++i)
      for (int e = 0; e < program.graph().nodes[n].experts; ++e) {
        const int own = program.graph().nodes[n].params[i] + e, source = program.graph().params[own].source;
        const int id = source < 0 ? own : source;
        if (program.flow().param_mode[n][i] != GradMode::ignore)
          std::memset(store.grad_data(id), 0xFF, store.stored_elements(id) * size_of(store.dtype()));
      }
}

enum class Backward : bool { no, yes };

/// One run on poisoned memory; the network's memory is as before afterwards.
template <class Backend>
Outcome run(Rig<Backend>& rig, Program& program, const Batch& batch, const StepContext& step,
            Backward backward = Backward::yes) {
  const Snapshot before(rig.store);
  const Graph& g = program.graph();
  poison(rig.arena);
  Outcome out;
  out.loss = forward(program, batch, step);
  out.result = program.read(g.outputs[0]);
  if (backward == Backward::yes) {
    poison_gradients(rig.store, program);
    testing::Gradients gradients = testing::backward(rig.store, program, batch, step);
    out.input_grad = std::move(gradients.images), out.param_grad = std::move(gradients.params);
  }
  out.param_grad.resize(static_cast<std::size_t>(rig.store.size()));
  for (int i = 0; i < rig.store.size(); ++i)
    out.buffers.push_back(rig.store.spec(i).trained ? std::vector<double>{} : rig.store.read(i));
  for (int i = 0; i < static_cast<int>(rig.store.states().size()); ++i)
    out.state.insert(out.state.end(), rig.store.state(i).begin(), rig.store.state(i).end());
  out.routings = program.routings();
  before.restore();
  return out;
}

/// The passes that Model applies to a training graph.
inline Graph fused(Graph g, const std::vector<int>& keep = {}) {
  passes::for_training(g, keep);
  return g;
}
/// The passes that Model applies to an inference graph.
inline Graph folded(Graph g, const std::vector<int>& keep = {}) {
  passes::for_inference(g, keep);
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
