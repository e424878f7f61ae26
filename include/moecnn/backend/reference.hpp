#pragma once
/// \file
/// The reference backend: plain loops and Eigen, float or double, row-major tensors as PyTorch has them. It is the truth
/// that every other backend is tested against, and it runs everywhere.

#include "moecnn/backend/reference/conv.hpp"
#include "moecnn/backend/reference/eltwise.hpp"
#include "moecnn/backend/reference/linear.hpp"
#include "moecnn/backend/reference/loss.hpp"
#include "moecnn/backend/reference/norm.hpp"
#include "moecnn/backend/reference/pool.hpp"
#include "moecnn/backend/reference/route.hpp"

namespace moecnn::reference {

/// The kernel of node `n`.
template <class T>
std::unique_ptr<Kernel<T>> make_kernel(const Graph& g, const Flow& f, int n) {
  struct Visitor {
    const Graph& g;
    const Flow& f;
    int n;
    using Made = std::unique_ptr<Kernel<T>>;
    Made operator()(const ops::Input&) const { return std::make_unique<InputKernel<T>>(g, f, n); }
    Made operator()(const ops::Conv&) const { return std::make_unique<ConvKernel<T>>(g, f, n); }
    Made operator()(const ops::BatchNorm&) const { return std::make_unique<BatchNormKernel<T>>(g, f, n); }
    Made operator()(const ops::Linear&) const { return std::make_unique<LinearKernel<T>>(g, f, n); }
    Made operator()(const ops::GlobalAvgPool&) const { return std::make_unique<GlobalAvgPoolKernel<T>>(g, f, n); }
    Made operator()(const ops::MaxPool&) const { return std::make_unique<MaxPoolKernel<T>>(g, f, n); }
    Made operator()(const ops::Relu&) const { return std::make_unique<ReluKernel<T>>(g, f, n); }
    Made operator()(const ops::Add&) const { return std::make_unique<AddKernel<T>>(g, f, n); }
    Made operator()(const ops::ConstantScores&) const { return std::make_unique<ConstantScoresKernel<T>>(g, f, n); }
    Made operator()(const ops::Route&) const { return std::make_unique<RouteKernel<T>>(g, f, n); }
    Made operator()(const ops::Gather&) const { return std::make_unique<GatherKernel<T>>(g, f, n); }
    Made operator()(const ops::Combine&) const { return std::make_unique<CombineKernel<T>>(g, f, n); }
    Made operator()(const ops::CrossEntropy&) const { return std::make_unique<CrossEntropyKernel<T>>(g, f, n); }
  };
  return dispatch(g.nodes[n].op, Visitor{g, f, n});
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
