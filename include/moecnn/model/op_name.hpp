#pragma once
/// \file
/// Operations in words, for tables and messages.

#include "moecnn/graph/custom.hpp"

namespace moecnn {

namespace detail {
inline std::string window_text(Size2 kernel, Size2 stride) {
  std::string text = formatted("{}×{}", kernel.h, kernel.w);
  if (stride.h == stride.w && stride.h != 1) text += formatted(" /{}", stride.h);
  if (stride.h != stride.w) text += formatted(" /{}×{}", stride.h, stride.w);
  return text;
}
inline std::string fused_text(bool residual, bool relu) {
  return std::string(residual ? " + add" : "") + (relu ? " + relu" : "");
}
}  // namespace detail

/// "conv 3×3 /2", "batch norm + relu", "route".
inline std::string op_name(const Op& op) {
  if (const auto* c = std::get_if<ops::Conv>(&op)) {
    std::string text = "conv " + detail::window_text(c->kernel, c->stride);
    if (c->dilation != Size2(1)) text += formatted(" dilation {}", c->dilation.h);
    if (c->groups > 1) text += formatted(" groups {}", c->groups);
    return text + detail::fused_text(c->residual, c->relu);
  }
  if (const auto* b = std::get_if<ops::BatchNorm>(&op)) return "batch norm" + detail::fused_text(b->residual, b->relu);
  if (const auto* t = std::get_if<ops::ConvTranspose>(&op))
    return "transposed conv " + detail::window_text(t->kernel, t->stride);
  if (const auto* p = std::get_if<ops::MaxPool>(&op)) return "max pool " + detail::window_text(p->kernel, p->stride);
  if (const auto* a = std::get_if<ops::AvgPool>(&op))
    return "average pool " + detail::window_text(a->kernel, a->stride);
  if (const auto* a = std::get_if<ops::Activation>(&op))
    return a->curve == ops::Curve::sigmoid        ? "sigmoid"
           : a->curve == ops::Curve::hard_sigmoid ? "hard sigmoid"
                                                  : "hard swish";
  if (const auto* d = std::get_if<ops::Dropout>(&op))
    return formatted("{}dropout {}", d->spatial ? "spatial " : "", d->p);
  if (const auto* t = std::get_if<ops::Times>(&op)) return formatted("times {}", t->factor);
  if (const auto* r = std::get_if<ops::Resize>(&op))
    return r->mode == ops::Sampling::nearest ? "resize, nearest" : "resize, bilinear";
  if (const auto* t = std::get_if<ops::ToPatches>(&op))
    return formatted("to patches {}×{}", t->grid.rows(), t->grid.columns());
  constexpr const char* names[] = {"images",
                                   "conv",
                                   "batch norm",
                                   "linear",
                                   "average pool",
                                   "max pool",
                                   "relu",
                                   "add",
                                   "constant scores",
                                   "route",
                                   "gather",
                                   "combine",
                                   "mixed conv",
                                   "cross-entropy",
                                   "transposed conv",
                                   "max-pool indices",
                                   "max unpool",
                                   "average pool",
                                   "adaptive average pool",
                                   "resize",
                                   "window",
                                   "concat",
                                   "slice",
                                   "scale",
                                   "activation",
                                   "prelu",
                                   "dropout",
                                   "random scores",
                                   "to patches",
                                   "from patches",
                                   "subtract",
                                   "multiply",
                                   "times",
                                   "cast",
                                   "custom"};
  static_assert(std::size(names) == decltype(detail::alternatives(op))::value,
                "one name per operation, in their order");
  return names[op.index()];
}

/// The same for a node of a graph, where a user's own operations have names: "channel shuffle, 2 groups".
inline std::string op_name(const Graph& g, const Node& n) {
  const auto* own = std::get_if<ops::Custom>(&n.op);
  if (!own) return op_name(n.op);
  const CustomOp& op = *g.custom[static_cast<std::size_t>(own->id)];
  const std::string settings = op.settings();
  return op.name() + (settings.empty() ? "" : ", " + settings);
}

}  // namespace moecnn
