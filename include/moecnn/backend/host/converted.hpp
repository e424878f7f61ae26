#pragma once
/// \file
/// Any kernel on tensors of another type: widened before it runs, rounded where it stores.

#include "moecnn/backend/host/convert_rows.hpp"
#include "moecnn/backend/host/node_kernel.hpp"

namespace moecnn::host {

/// True if all tensors of a node are of that type, or of types that the operation fixes.
inline bool is_uniform(const Graph& g, const Node& n, DType t) {
  if (is_loss(n.op) || std::holds_alternative<ops::Input>(n.op) || std::holds_alternative<ops::Cast>(n.op)) return true;
  bool all = g.output_of(n).dtype == t;
  for (int e : n.inputs) all = all && g.edges[e].dtype == t;
  for (int p : n.params) all = all && g.params[p].dtype == t;
  return all;
}

/// A kernel of type T for a node whose tensors are of mixed types: it computes in T, on copies in its scratch memory, and
/// what it stores is rounded. For the truth that low-precision kernels are tested against, and for operations, or CPUs,
/// for which a backend has no such kernel: the maps take half the memory, and two more passes over them the time.
template <class T>
class Converted final : public Kernel {
 public:
  /// `inner`: the node's kernel, which takes all tensors to be of type T. `values` and `params`: how edges and parameters
  /// are stored; copies have the same order. Empty: all in plain order.
  Converted(const Graph& g, const Flow& f, int n, std::unique_ptr<Kernel> inner, const Layouts& values = {},
            const Layouts& params = {})
      : inner_(std::move(inner)) {
    const Node& node = g.nodes[n];
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      input_.push_back(tensor_of(g, node.inputs[i], values));
      input_grad_.push_back(input_.back());
      input_grad_.back().adds = f.input_mode[n][i] == GradMode::accumulate;
      if (f.input_mode[n][i] == GradMode::ignore) input_grad_.back().rows = 0;
    }
    output_ = tensor_of(g, node.output, values);
    for (std::size_t i = 0; i < node.params.size(); ++i)
      for (int e = 0; e < node.experts; ++e) {
        const int id = node.params[i] + e;
        const ParamSpec& p = g.params[id];
        const auto at = static_cast<std::size_t>(id);
        param_.push_back({.dtype = p.dtype, .rows = 1});
        param_.back().row = stored_bytes(p, at < params.size() ? params[at].get() : nullptr) / size_of(p.dtype);
        const ParamSpec& owner = p.source < 0 ? p : g.params[p.source];
        check(f.param_mode[n][i] == GradMode::ignore || owner.dtype == dtype_of<T>,
              "{}: gradients of parameters are of type {}, this one is {}", p.name, name_of(dtype_of<T>),
              name_of(owner.dtype));
        // Running statistics change where they are.
        check(p.trained || p.dtype == dtype_of<T> || id >= g.recorded_params(), "{}: a buffer of type {}, expected {}",
              p.name, name_of(p.dtype), name_of(dtype_of<T>));
      }
  }

  const Kernel& inner() const { return *inner_; }

  /// Memory may be taken over as the inner kernel allows: it works on copies of all that has another type.
  NodeNeeds needs() const override {
    NodeNeeds n = inner_->needs();
    keeps_input_ = n.keeps_input, keeps_output_ = n.keeps_output;
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
    Bindings& inner = inner_at_ = at_;
    std::byte* room = at_.scratch_forward + own_forward_;
    for (std::size_t i = 0; i < input_.size(); ++i) inner.input[i] = widened(input_[i], at_.input[i], room);
    write_output(inner, room, [&] { inner_->forward(step); });
  }

  void rebuild() override {
    Bindings& inner = inner_at_ = at_;
    std::byte* room = at_.scratch_forward + own_forward_;
    for (std::size_t i = 0; i < input_.size(); ++i)
      inner.input[i] = keeps_input_[i] ? widened(input_[i], at_.input[i], room) : nullptr;
    write_output(inner, room, [&] { inner_->rebuild(); });
  }

  void backward(const StepContext& step) override {
    Bindings& inner = inner_at_ = at_;
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
    std::size_t rows = 0, row = 0;  ///< the most rows there are, and stored elements of one
    int routing = -1, expert = -1;  ///< as in Edge
    bool adds = false;              ///< a gradient that somebody else has begun
  };

  static Tensor tensor_of(const Graph& g, int edge, const Layouts& values) {
    const Edge& e = g.edges[edge];
    const auto at = static_cast<std::size_t>(edge);
    const std::size_t elements = stored_bytes(e, at < values.size() ? values[at].get() : nullptr) / size_of(e.dtype);
    const auto rows = static_cast<std::size_t>(e.extent.n);
    return {.dtype = e.dtype, .rows = rows, .row = elements / rows, .routing = e.routing, .expert = e.expert};
  }
  static std::size_t rounded(std::size_t bytes) { return (bytes + 63) / 64 * 64; }
  /// Of its copy; 0 where there is none.
  static std::size_t bytes(const Tensor& t) { return t.dtype == dtype_of<T> ? 0 : rounded(t.rows * t.row * sizeof(T)); }

  /// Elements in the rows that are there.
  std::size_t elements(const Tensor& t) const {
    if (t.routing < 0 || !at_.routings) return t.rows * t.row;
    const Routing& r = at_.routings[t.routing];
    const int slots = t.expert < 0 ? r.slots() : r.parts[static_cast<std::size_t>(t.expert)].slots();
    return static_cast<std::size_t>(slots) * t.row;
  }
  /// Where the inner kernel has it: where it is, or in scratch memory.
  static void* place(const Tensor& t, void* where, std::byte*& room) {
    if (t.dtype == dtype_of<T>) return where;
    std::byte* copy = room;
    room += bytes(t);
    return copy;
  }
  void* widened(const Tensor& t, void* where, std::byte*& room) const {
    void* copy = place(t, where, room);
    if (copy != where) convert_rows(where, t.dtype, copy, dtype_of<T>, elements(t));
    return copy;
  }
  void round(const Tensor& t, const void* copy, void* where) const {
    if (copy != where) convert_rows(copy, dtype_of<T>, where, t.dtype, elements(t));
  }

  template <class F>
  void write_output(Bindings& inner, std::byte* room, const F& work) {
    for (std::size_t i = 0; i < param_.size(); ++i) inner.param[i] = widened(param_[i], at_.param[i], room);
    inner.output = place(output_, at_.output, room);
    bind_inner(inner);
    work();
    // A gather or a route has just now said how many rows there are.
    round(output_, inner.output, at_.output);
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
  Bindings at_, inner_at_;
};

}  // namespace moecnn::host
