#pragma once
/// \file
/// The base of the kernels of all CPU backends: it knows where a node's rows lie and how a gradient is handed over.

#include "moecnn/core/threads.hpp"
#include "moecnn/graph/kernel.hpp"

#include <algorithm>

namespace moecnn::host {

/// The orders in which a kernel takes its tensors, and what its constructor is told about them behind (g, f, n). Every kernel
/// says so itself, by a static member `orders`.
enum class Orders : unsigned char {
  plain,    ///< plain order
  rows,     ///< any, the same for all tensors: stored elements of a row
  planes,   ///< any, the same for all tensors: the unit, channels that lie side by side (see planes.hpp)
  factors,  ///< the first input and the output as for `planes`, others in any: units of the inputs, then of the output
  each,     ///< any, for each tensor: units of the inputs, then of the output
  counts    ///< the numbers of the inputs do not matter, the output is in plain order
};

/// A kernel that knows its node, its edges and its flow. T is the type of all its tensors.
template <class T>
class NodeKernel : public Kernel {
 public:
  static constexpr Orders orders = Orders::plain;
  /// Whether T may be Bf16.
  static constexpr bool takes_bf16 = false;

  NodeKernel(const Graph& g, const Flow& f, int n)
      : node_(g.nodes[n]), out_(g.edges[node_.output]), input_mode_(f.input_mode[n]), param_mode_(f.param_mode[n]) {
    for (int e : node_.inputs) in_.push_back(g.edges[e]);
  }

  NodeNeeds needs() const override { return plain_needs(); }
  void bind(const Bindings& b) override { at = BindingsOf<T>(b); }
  /// From a kernel that has others work for it; allocates nothing from the second time on.
  void bind(const BindingsOf<T>& b) { at = b; }

 protected:
  NodeNeeds plain_needs() const {
    NodeNeeds n;
    n.keeps_input.assign(node_.inputs.size(), 0);
    return n;
  }

  /// Calls `work(copy, first row, rows)`: once for a plain node, once per expert inside a mixture, also for experts
  /// without rows, whose gradients have to become zero.
  template <class F>
  void for_each_copy(const F& work) const {
    if (node_.routing < 0) return work(0, 0, out_.extent.n);
    for (int e = 0; e < node_.experts; ++e) work(e, at.routing->offset[e], at.routing->slots_of(e));
  }

  /// The same in pieces: `work(copy, first row, rows, group)` with at most `most` rows.
  template <class F>
  void for_each_block(int groups, int most, const F& work) const {
    for_each_copy([&](int copy, int first, int count) {
      for (int r = 0; r < count; r += most)
        for (int g = 0; g < groups; ++g) work(copy, first + r, std::min(most, count - r), g);
    });
  }

  /// Rows that are really there: all of them, or the slots in use.
  int rows() const { return node_.routing < 0 ? out_.extent.n : at.routing->slots(); }

  /// Numbers of the output in these rows.
  long long size() const { return rows() * (out_.elements() / out_.extent.n); }

  T* param(int i, int copy = 0) const { return at.param[i * node_.experts + copy]; }
  T* param_grad(int i, int copy = 0) const { return at.param_grad[i * node_.experts + copy]; }
  bool wants_input(std::size_t i) const { return input_mode_[i] != GradMode::ignore; }
  bool wants_param(std::size_t i) const { return param_mode_[i] != GradMode::ignore; }
  /// True where this node adds to a gradient that another node has started.
  bool adds_to_input(std::size_t i) const { return input_mode_[i] == GradMode::accumulate; }
  bool adds_to_param(std::size_t i) const { return param_mode_[i] == GradMode::accumulate; }

  /// Clears a gradient that this node is the first to write, and leaves it alone otherwise.
  static void start(T* grad, long long n, bool adds) {
    if (!adds) std::fill(grad, grad + n, T(0));
  }
  /// Hands over one element. What lies in memory before the first write may be anything, NaN included.
  static void deliver(T& grad, double value, bool adds) { grad = static_cast<T>(adds ? grad + value : value); }

  BindingsOf<T> at;
  Node node_;
  Edge out_;
  std::vector<Edge> in_;
  std::vector<GradMode> input_mode_, param_mode_;
};

}  // namespace moecnn::host
