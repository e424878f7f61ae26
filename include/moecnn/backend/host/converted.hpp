#pragma once
/// \file
/// Any kernel on tensors of another type: widened before it runs, rounded where it stores.

#include "moecnn/backend/host/node_kernel.hpp"
#include "moecnn/core/convert.hpp"

namespace moecnn::host {

/// A kernel of type T for a node whose tensors are of mixed types: it computes in T, on copies in its scratch memory, and
/// what it stores is rounded. The truth that low-precision backends are tested against; nothing here is fast.
template <class T>
class Converted final : public Kernel {
 public:
  /// `inner`: the node's kernel, which takes all tensors to be of type T in plain order.
  Converted(const Graph& g, const Flow& f, int n, std::unique_ptr<Kernel> inner) : inner_(std::move(inner)) {
    const Node& node = g.nodes[n];
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const Edge& e = g.edges[node.inputs[i]];
      input_.push_back({e.dtype, elements(e)});
      input_grad_.push_back({e.dtype, elements(e), f.input_mode[n][i] == GradMode::accumulate});
      if (f.input_mode[n][i] == GradMode::ignore) input_grad_.back().elements = 0;
    }
    const Edge& out = g.output_of(node);
    output_ = {out.dtype, elements(out)};
    for (std::size_t i = 0; i < node.params.size(); ++i)
      for (int e = 0; e < node.experts; ++e) {
        const int id = node.params[i] + e;
        const ParamSpec& p = g.params[id];
        param_.push_back({p.dtype, static_cast<std::size_t>(p.elements())});
        const ParamSpec& owner = p.source < 0 ? p : g.params[p.source];
        check(f.param_mode[n][i] == GradMode::ignore || owner.dtype == dtype_of<T>,
              "{}: gradients of parameters are of type {}, this one is {}", p.name, name_of(dtype_of<T>),
              name_of(owner.dtype));
        // Running statistics change where they are.
        check(p.trained || p.dtype == dtype_of<T> || id >= g.recorded_params(), "{}: a buffer of type {}, expected {}",
              p.name, name_of(p.dtype), name_of(dtype_of<T>));
      }
  }

  NodeNeeds needs() const override {
    NodeNeeds n = inner_->needs();
    keeps_input_ = n.keeps_input, keeps_output_ = n.keeps_output;
    n.inplace_forward = n.inplace_backward = -1;
    n.rebuilds_output = false;
    own_forward_ = rounded(n.scratch_forward), own_backward_ = rounded(n.scratch_backward);
    std::size_t common = bytes(output_);
    for (const Tensor& t : input_) common += bytes(t);
    for (const Tensor& t : param_) common += bytes(t);
    n.scratch_forward = own_forward_ + common;
    n.scratch_backward = own_backward_ + common + bytes(output_);
    for (const Tensor& t : input_grad_) n.scratch_backward += bytes(t);
    return n;
  }

  void bind(const Bindings& b) override { at_ = b; }

  void forward(const StepContext& step) override {
    Bindings inner = at_;
    std::byte* room = at_.scratch_forward + own_forward_;
    for (std::size_t i = 0; i < input_.size(); ++i) inner.input[i] = widened(input_[i], at_.input[i], room);
    for (std::size_t i = 0; i < param_.size(); ++i) inner.param[i] = widened(param_[i], at_.param[i], room);
    inner.output = place(output_, at_.output, room);
    bind_inner(inner);
    inner_->forward(step);
    round(output_, inner.output, at_.output);
  }

  void backward(const StepContext& step) override {
    Bindings inner = at_;
    std::byte* room = at_.scratch_backward + own_backward_;
    for (std::size_t i = 0; i < input_.size(); ++i)
      inner.input[i] = keeps_input_[i] ? widened(input_[i], at_.input[i], room) : nullptr;
    for (std::size_t i = 0; i < param_.size(); ++i) inner.param[i] = widened(param_[i], at_.param[i], room);
    inner.output = keeps_output_ ? widened(output_, at_.output, room) : nullptr;
    inner.output_grad = at_.output_grad ? widened(output_, at_.output_grad, room) : nullptr;
    for (std::size_t i = 0; i < input_grad_.size(); ++i) {
      if (!at_.input_grad[i]) continue;
      // An edge that is two inputs of the node has one gradient.
      std::size_t same = 0;
      while (at_.input_grad[same] != at_.input_grad[i]) ++same;
      if (same < i)
        inner.input_grad[i] = inner.input_grad[same];
      else if (input_grad_[i].adds)
        inner.input_grad[i] = widened(input_grad_[i], at_.input_grad[i], room);
      else
        inner.input_grad[i] = place(input_grad_[i], at_.input_grad[i], room);
    }
    bind_inner(inner);
    inner_->backward(step);
    for (std::size_t i = 0; i < input_grad_.size(); ++i)
      if (at_.input_grad[i]) round(input_grad_[i], inner.input_grad[i], at_.input_grad[i]);
  }

 private:
  struct Tensor {
    DType dtype = DType::f32;
    std::size_t elements = 0;
    bool adds = false;  ///< a gradient that somebody else has begun
  };

  static std::size_t elements(const Edge& e) { return static_cast<std::size_t>(e.elements()); }
  static std::size_t rounded(std::size_t bytes) { return (bytes + 63) / 64 * 64; }
  /// Of its copy; 0 where there is none.
  static std::size_t bytes(const Tensor& t) { return t.dtype == dtype_of<T> ? 0 : rounded(t.elements * sizeof(T)); }

  /// Where the inner kernel has it: where it is, or in scratch memory.
  static void* place(const Tensor& t, void* where, std::byte*& room) {
    if (t.dtype == dtype_of<T>) return where;
    std::byte* copy = room;
    room += bytes(t);
    return copy;
  }
  static void* widened(const Tensor& t, void* where, std::byte*& room) {
    void* copy = place(t, where, room);
    if (copy != where) convert(where, t.dtype, copy, dtype_of<T>, t.elements);
    return copy;
  }
  static void round(const Tensor& t, const void* copy, void* where) {
    if (copy != where) convert(copy, dtype_of<T>, where, t.dtype, t.elements);
  }

  /// Addresses change from pass to pass, so the inner kernel is bound anew; it allocates nothing of which that is not true
  /// already.
  void bind_inner(const Bindings& b) {
    inner_->bind(b);
    inner_->refresh();
  }

  std::unique_ptr<Kernel> inner_;
  std::vector<Tensor> input_, input_grad_, param_;
  Tensor output_;
  mutable std::vector<char> keeps_input_;  // learned in needs()
  mutable bool keeps_output_ = false;
  mutable std::size_t own_forward_ = 0, own_backward_ = 0;
  Bindings at_;
};

}  // namespace moecnn::host
