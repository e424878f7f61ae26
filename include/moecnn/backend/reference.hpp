#pragma once
/// \file
/// The reference backend: plain loops and Eigen, float or double, row-major tensors as PyTorch has them. It is the truth
/// that every other backend is tested against, and it runs everywhere.

#include "moecnn/backend/reference/activation.hpp"
#include "moecnn/backend/reference/arithmetic.hpp"
#include "moecnn/backend/reference/avg_pool.hpp"
#include "moecnn/backend/reference/channels.hpp"
#include "moecnn/backend/reference/conv.hpp"
#include "moecnn/backend/reference/conv_transpose.hpp"
#include "moecnn/backend/reference/eltwise.hpp"
#include "moecnn/backend/reference/linear.hpp"
#include "moecnn/backend/reference/loss.hpp"
#include "moecnn/backend/reference/mixed_conv.hpp"
#include "moecnn/backend/reference/norm.hpp"
#include "moecnn/backend/reference/patch.hpp"
#include "moecnn/backend/reference/pool.hpp"
#include "moecnn/backend/reference/random.hpp"
#include "moecnn/backend/reference/resize.hpp"
#include "moecnn/backend/reference/route.hpp"

namespace moecnn::reference {

/// The kernel of node `n`.
template <class T>
std::unique_ptr<Kernel<T>> make_kernel(const Graph& g, const Flow& f, int n) {
  return dispatch(g.nodes[n].op, [&]<class Op>(const Op&) -> std::unique_ptr<Kernel<T>> {
    return std::make_unique<typename KernelFor<T, Op>::type>(g, f, n);
  });
}

}  // namespace moecnn::reference

namespace moecnn::backend {

template <class T = float>
struct Reference {
  using scalar = T;
  static constexpr const char* name = sizeof(T) == 8 ? "reference (double)" : "reference";

  static Lowered<T> lower(const Graph& g, const Flow& f, const ParamLayouts<T>& = {}) {
    Lowered<T> low;
    for (int n = 0; n < static_cast<int>(g.nodes.size()); ++n)
      low.kernels.push_back(reference::make_kernel<T>(g, f, n));
    low.value_layout.resize(g.edges.size());
    low.grad_layout.resize(g.edges.size());
    low.param_layout.resize(g.params.size());
    return low;
  }
};

}  // namespace moecnn::backend
