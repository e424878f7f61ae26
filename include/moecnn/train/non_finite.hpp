#pragma once
/// \file
/// Where a value that is no number comes from.

#include "moecnn/model/op_name.hpp"
#include "moecnn/model/program.hpp"
#include "moecnn/train/evaluate.hpp"

namespace moecnn {

/// The first parameter or buffer with a value that is not finite, by name; empty if there is none.
inline std::string non_finite_parameter(const ParamStore& store, ParameterMath& math) {
  for (int i = 0; i < store.size(); ++i)
    if (!math.all_finite(store.value_data(i), store.stored_elements(i), store.spec(i).dtype)) return store.spec(i).name;
  return {};
}

/// The first parameter whose gradient is not finite, by name; empty if there is none.
inline std::string non_finite_gradient(const ParamStore& store, ParameterMath& math) {
  for (int i = 0; i < store.size(); ++i)
    if (store.grad_data(i) && store.spec(i).learns() &&
        !math.all_finite(store.grad_data(i), store.stored_elements(i), store.dtype()))
      return store.spec(i).name;
  return {};
}

namespace detail {

inline bool finite_output(const Program& program, const Node& node) {
  const Edge& e = program.graph().output_of(node);
  if (!is_float(e.dtype)) return true;  // labels
  auto n = stored_bytes(e, program.lowered().value_layout[node.output].get()) / size_of(e.dtype);
  if (e.routing >= 0 && !std::holds_alternative<ops::Route>(node.op)) {  // only the slots in use were written
    const Routing& r = program.routings()[e.routing];
    n = n / static_cast<std::size_t>(e.extent.n) *
        static_cast<std::size_t>(e.expert < 0 ? r.slots() : r.slots_of(e.expert));
  }
  return program.backend().math().all_finite(program.value_data(node.output), n, e.dtype);
}

}  // namespace detail

/// Where a forward pass goes wrong.
struct Culprit {
  std::string text;         ///< in words; empty: nowhere
  bool non_finite = false;  ///< by a value that is not finite; false: a layer threw an Error
};

/// Runs a forward pass node by node, on images that have been set just before, and tells which layer is the first with a
/// value that is not finite or that throws. Running statistics move on, so this is for runs that end here.
inline Culprit find_non_finite(Program& program, const ParamStore& store, const StepContext& step) {
  ParameterMath& math = program.backend().math();
  const Graph& g = program.graph();
  for (std::size_t n = 0; n < g.nodes.size(); ++n) {
    const Node& node = g.nodes[n];
    const std::string layer = node.name.empty() ? std::string() : " '" + node.name + "'";
    for (int p : node.params)
      for (int i = p; i < p + node.experts; ++i)
        if (i < store.size() && !math.all_finite(store.value_data(i), store.stored_elements(i), store.spec(i).dtype))
          return {formatted("parameter {} of layer{} ({}) is not finite", store.spec(i).name, layer, op_name(g, node)),
                  true};
    try {
      program.lowered().kernels[n]->forward(step);
    } catch (const Error& e) {
      return {formatted("layer{} ({}) says: {}", layer, op_name(g, node), e.what()), false};
    }
    // Gates of constant scores bar an expert by minus infinity.
    if (std::holds_alternative<ops::ConstantScores>(node.op) || detail::finite_output(program, node)) continue;
    if (std::holds_alternative<ops::Input>(node.op))
      return {node.output == g.input ? std::string("the images themselves hold values that are not finite")
                                     : formatted("the target \"{}\" holds values that are not finite", node.name),
              true};
    return {formatted("the first value that is not finite comes out of layer{} ({})", layer, op_name(g, node)), true};
  }
  return {};
}

/// Ends a run whose loss is no number, or whose forward pass threw `said`, after `steps` updates: tells which layer it
/// begins in, and what to do about it.
[[noreturn]] inline void fail_non_finite(Program& program, const ParamStore& store, const AnyBatch& batch,
                                         const StepContext& context, std::int64_t steps, const std::string& said) {
  program.set_images(batch.images, batch.images_type);
  detail::set_targets(program, batch.targets);
  const Culprit culprit = find_non_finite(program, store, context);
  if (culprit.text.empty() && !said.empty()) throw Error(said);
  std::string text = said.empty()
                         ? formatted("the loss is {}, the balance loss {}: {}", program.loss(), program.balance_loss(),
                                     culprit.text.empty() ? "every layer's output is finite" : culprit.text)
                         : "the forward pass failed: " + culprit.text;
  // A layer that throws has said what to do, and before the first update no learning rate can have done harm.
  const bool numbers = said.empty() || culprit.non_finite;
  if (steps > 0) text += ". The last checkpoint is as it was";
  if (numbers && steps > 0) text += "; lower the learning rate, clip gradients or look at the data";
  if (numbers && steps == 0) text += ". Nothing has been learned yet: look at the data and at the initial weights";
  fail("step {} (epoch {}, batch {}): {}", steps + 1, batch.epoch + 1, batch.batch + 1, text);
}

/// Ends a run whose gradients have a norm that is no number, before they have reached the parameters.
[[noreturn]] inline void fail_non_finite_gradient(const ParamStore& store, ParameterMath& math, std::int64_t step,
                                                  double loss) {
  const std::string name = non_finite_gradient(store, math);
  fail(
      "step {}: {} is not finite, though the loss is {}. Parameters and the last checkpoint are as they were; {}look "
      "at the layer that this parameter belongs to and at losses of your own",
      step, name.empty() ? "the norm of the gradients" : "the gradient of parameter " + name, loss,
      step > 1 ? "lower the learning rate, or " : "");
}

/// Throws Error where a parameter or buffer is no number: such weights must not reach a file.
inline void check_finite(const ParamStore& store, ParameterMath& math, std::int64_t step) {
  const std::string bad = non_finite_parameter(store, math);
  check(bad.empty(),
        "step {}: {} is not finite, so no checkpoint is written; lower the learning rate or clip gradients", step, bad);
}

}  // namespace moecnn
