#pragma once
/// \file
/// Graphs to plain loops.

#include "moecnn/backend/host/converted.hpp"
#include "moecnn/backend/reference/conv.hpp"
#include "moecnn/backend/reference/conv_transpose.hpp"
#include "moecnn/backend/reference/linear.hpp"
#include "moecnn/backend/reference/loss.hpp"
#include "moecnn/backend/reference/mixed_conv.hpp"
#include "moecnn/graph/custom.hpp"

namespace moecnn::reference {

/// The kernel of node `n`, all of whose tensors are of type T.
template <class T>
std::unique_ptr<Kernel> make_kernel(const Graph& g, const Flow& f, int n) {
  return dispatch(g.nodes[n].op, [&]<class Op>(const Op&) -> std::unique_ptr<Kernel> {
    if constexpr (std::is_same_v<Op, ops::Custom>)
      return lower_custom({"reference", dtype_of<T>}, g, f, n);
    else
      return std::make_unique<typename KernelFor<T, Op>::type>(g, f, n);
  });
}

template <class T>
Lowered lower(const Graph& g, const Flow& f) {
  Lowered low;
  for (int n = 0; n < static_cast<int>(g.nodes.size()); ++n) {
    auto kernel = make_kernel<T>(g, f, n);
    if (!host::is_uniform(g, g.nodes[n], dtype_of<T>))
      kernel = std::make_unique<host::Converted<T>>(g, f, n, std::move(kernel));
    low.kernels.push_back(std::move(kernel));
  }
  low.value_layout.resize(g.edges.size());
  low.grad_layout.resize(g.edges.size());
  low.param_layout.resize(g.params.size());
  return low;
}

}  // namespace moecnn::reference
