#pragma once
/// \file
/// Where a value that is no number comes from.

#include <algorithm>
#include <cmath>

#include "moecnn/model/op_name.hpp"
#include "moecnn/model/program.hpp"

namespace moecnn {

/// Vectorises, unlike a loop that stops early.
template <class T>
bool all_finite(const T* values, std::size_t n) {
  bool fine = true;
  for (std::size_t i = 0; i < n; ++i) fine &= values[i] - values[i] == T(0);
  return fine;
}

/// The first parameter or buffer with a value that is not finite, by name; empty if there is none.
template <class T>
std::string non_finite_parameter(const ParamStore<T>& store) {
  for (int i = 0; i < store.size(); ++i)
    if (!all_finite(store.value(i), store.stored_elements(i))) return store.spec(i).name;
  return {};
}

/// The first parameter whose gradient is not finite, by name; empty if there is none.
template <class T>
std::string non_finite_gradient(const ParamStore<T>& store) {
  for (int i = 0; i < store.size(); ++i)
    if (store.grad(i) && !all_finite(store.grad(i), store.stored_elements(i))) return store.spec(i).name;
  return {};
}

namespace detail {

template <class Backend>
bool finite_output(const Program<Backend>& program, const Node& node) {
  const Edge& e = program.graph().output_of(node);
  const auto& layout = program.lowered().value_layout[node.output];
  auto n = layout ? layout->elements() : static_cast<std::size_t>(e.elements());
  if (e.routing >= 0 && !std::holds_alternative<ops::Route>(node.op))  // only the slots in use were written
    n = n / static_cast<std::size_t>(e.extent.n) * static_cast<std::size_t>(program.routings()[e.routing].slots());
  return all_finite(program.value(node.output), n);
}

}  // namespace detail

/// Runs a forward pass node by node, on images that have been set just before, and tells in words which layer is the
/// first with a value that is not finite; empty if there is none. Running statistics move on, so this is for runs that
/// end here.
template <class Backend>
std::string find_non_finite(Program<Backend>& program, const ParamStore<typename Backend::scalar>& store,
                            const StepContext& step) {
  const Graph& g = program.graph();
  for (std::size_t n = 0; n < g.nodes.size(); ++n) {
    const Node& node = g.nodes[n];
    const std::string layer = node.name.empty() ? std::string() : " '" + node.name + "'";
    for (int p : node.params)
      for (int i = p; i < p + node.copies; ++i)
        if (i < store.size() && !all_finite(store.value(i), store.stored_elements(i)))
          return formatted(
              "parameter {} of layer{} ({}) is not finite; the step before spoilt it, as a learning rate "
              "that is too high does",
              store.spec(i).name, layer, op_name(node.op));
    try {
      program.lowered().kernels[n]->forward(step);
    } catch (const Error& e) {
      return formatted("layer{} ({}) says: {}", layer, op_name(node.op), e.what());
    }
    // Gates of constant scores bar an expert by minus infinity.
    if (std::holds_alternative<ops::ConstantScores>(node.op) || detail::finite_output(program, node)) continue;
    if (std::holds_alternative<ops::Input>(node.op)) return "the images themselves hold values that are not finite";
    return formatted("the first value that is not finite comes out of layer{} ({})", layer, op_name(node.op));
  }
  return {};
}

/// Ends a run whose loss is no number, or whose forward pass threw `said`: tells which layer it begins in.
template <class Program, class Store, class Batch>
[[noreturn]] void fail_non_finite(Program& program, const Store& store, const Batch& batch, const StepContext& context,
                                  const std::string& said) {
  program.set_images(batch.images);
  program.set_labels(batch.labels);
  const std::string where = find_non_finite(program, store, context);
  if (where.empty() && !said.empty()) throw Error(said);
  const std::string what =
      said.empty() ? formatted("the loss is {}, the balance loss {}", program.loss(), program.balance_loss())
                   : std::string("the forward pass failed");
  fail(
      "step {} (epoch {}, batch {}): {}: {}. The last checkpoint is as it was; lower the learning rate, clip gradients "
      "or look at the data",
      context.step + 1, batch.position.epoch + 1, batch.position.batch + 1, what,
      where.empty() ? "every layer's output is finite" : where);
}

/// Ends a run whose gradients have a norm that is no number, before they have reached the parameters.
template <class T>
[[noreturn]] void fail_non_finite_gradient(const ParamStore<T>& store, std::int64_t step, double loss) {
  const std::string name = non_finite_gradient(store);
  fail(
      "step {}: {} is not finite, though the loss is {}. Parameters and the last checkpoint are as they were; lower "
      "the "
      "learning rate, or look at the layer that this parameter belongs to and at losses of your own",
      step, name.empty() ? "the norm of the gradients" : "the gradient of parameter " + name, loss);
}

/// Throws Error where a parameter or buffer is no number: such weights must not reach a file.
template <class T>
void check_finite(const ParamStore<T>& store, std::int64_t step) {
  const std::string bad = non_finite_parameter(store);
  check(bad.empty(),
        "step {}: {} is not finite, so no checkpoint is written; lower the learning rate or clip gradients", step, bad);
}

}  // namespace moecnn
