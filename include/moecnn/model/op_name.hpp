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
  struct Visitor {
    std::string operator()(const ops::Input&) const { return "images"; }
    std::string operator()(const ops::Conv& c) const {
      std::string text = "conv " + detail::window_text(c.kernel, c.stride);
      if (c.dilation != Size2(1)) text += formatted(" dilation {}", c.dilation.h);
      if (c.groups > 1) text += formatted(" groups {}", c.groups);
      return text + detail::fused_text(c.residual, c.relu);
    }
    std::string operator()(const ops::BatchNorm& b) const {
      return "batch norm" + detail::fused_text(b.residual, b.relu);
    }
    std::string operator()(const ops::Linear&) const { return "linear"; }
    std::string operator()(const ops::GlobalAvgPool&) const { return "average pool"; }
    std::string operator()(const ops::MaxPool& p) const {
      return "max pool " + detail::window_text(p.kernel, p.stride);
    }
    std::string operator()(const ops::Relu&) const { return "relu"; }
    std::string operator()(const ops::Add&) const { return "add"; }
    std::string operator()(const ops::ConstantScores&) const { return "constant scores"; }
    std::string operator()(const ops::Route&) const { return "route"; }
    std::string operator()(const ops::Gather&) const { return "gather"; }
    std::string operator()(const ops::Combine&) const { return "combine"; }
    std::string operator()(const ops::CrossEntropy&) const { return "cross-entropy"; }
  };
  return std::visit(Visitor{}, op);
}

}  // namespace moecnn
