#pragma once
/// \file
/// Operations in words, for tables and messages.

#include "moecnn/graph/node.hpp"

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
  if (const auto* p = std::get_if<ops::MaxPool>(&op)) return "max pool " + detail::window_text(p->kernel, p->stride);
  constexpr const char* names[] = {"images",   "conv",    "batch norm", "linear",          "average pool",
                                   "max pool", "relu",    "add",        "constant scores", "route",
                                   "gather",   "combine", "mixed conv", "cross-entropy"};
  static_assert(std::size(names) == decltype(detail::alternatives(op))::value,
                "one name per operation, in their order");
  return names[op.index()];
}

}  // namespace moecnn
