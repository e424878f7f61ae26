#pragma once
/// \file
/// Operations in words, for tables and messages.

#include "moecnn/graph/custom.hpp"

namespace moecnn {

/// "conv 3×3 /2", "batch norm + relu", "route".
inline std::string op_name(const Op& op) {
  return dispatch(op, [](const auto& o) -> std::string {
    if constexpr (requires { o.text(); })
      return o.text();
    else
      return o.traits.name;
  });
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
