#pragma once
#include "moecnn/backend/reference/conv.hpp"

namespace moecnn::reference {

/// The mixed kernels of all rows, and a convolution in which every row has a kernel of its own.
template <class T>
class MixedConvKernel final : public NodeKernel<T> {
 public:
  MixedConvKernel(const Graph& g, const Flow& f, int n)
      : NodeKernel<T>(g, f, n), op_(std::get<ops::MixedConv>(node_.op).conv), rows_(out_.extent.n) {
    // One "expert" per row. Gradients of a row's kernel are always made: they carry those of the weights.
    Graph one;
    one.edges = {in_[0], out_};
    one.routings.resize(1);
    one.routings[0].rows = one.routings[0].experts = rows_, one.routings[0].k = 1;
    Node& conv = one.nodes.emplace_back();
    conv.op = op_, conv.inputs = {0}, conv.output = 1, conv.routing = 0, conv.experts = rows_, conv.name = node_.name;
    Flow flow;
    flow.input_mode = {{this->input_mode_[0]}};
    flow.param_mode = {std::vector<GradMode>(op_.bias ? 2 : 1, GradMode::overwrite)};
    conv_ = std::make_unique<ConvKernel<T>>(one, flow, 0);
    inner_ = conv_->needs();
    row_by_row_.resize(rows_, rows_, 1);
    for (int r = 0; r <= rows_; ++r) row_by_row_.offset[r] = r;
  }

  NodeNeeds needs() const override {
    NodeNeeds n = inner_;
    n.scratch_forward += sizeof(T) * rows_ * row_params();
    n.scratch_backward += 2 * sizeof(T) * rows_ * row_params();
    return n;
  }

  void forward(const StepContext& step) override {
    bind_rows(at.scratch_forward + inner_.scratch_forward, nullptr);
    mix(at.scratch_forward + inner_.scratch_forward);
    conv_->forward(step);
  }

  void backward(const StepContext& step) override {
    std::byte* kernels = at.scratch_backward + inner_.scratch_backward;
    std::byte* grads = kernels + sizeof(T) * rows_ * row_params();
    bind_rows(kernels, grads);
    mix(kernels);
    conv_->backward(step);
    unmix(reinterpret_cast<const T*>(grads));
  }

 private:
  using NodeKernel<T>::at;
  using NodeKernel<T>::node_;
  using NodeKernel<T>::in_;
  using NodeKernel<T>::out_;

  int param_count() const { return op_.bias ? 2 : 1; }
  long long size_of(int i) const { return i == 0 ? op_.weights() : op_.out; }
  /// Weights and bias of one row.
  std::size_t row_params() const { return static_cast<std::size_t>(op_.weights() + (op_.bias ? op_.out : 0)); }
  /// Parameter i of row r in a buffer of all rows: first all weights, then all biases.
  long long place(int i, int r) const { return i == 0 ? r * size_of(0) : rows_ * size_of(0) + r * size_of(1); }

  void bind_rows(std::byte* kernels, std::byte* grads) {
    BindingsOf<T> b;
    b.input = at.input, b.input_grad = at.input_grad, b.output = at.output, b.output_grad = at.output_grad;
    b.scratch_forward = at.scratch_forward, b.scratch_backward = at.scratch_backward;
    b.routing = &row_by_row_;
    for (int i = 0; i < param_count(); ++i)
      for (int r = 0; r < rows_; ++r) {
        b.param.push_back(reinterpret_cast<T*>(kernels) + place(i, r));
        b.param_grad.push_back(grads ? reinterpret_cast<T*>(grads) + place(i, r) : nullptr);
      }
    conv_->bind(b);
  }

  /// Calls `f(row, expert, weight)` for every pair that runs.
  template <class F>
  void for_each_pair(const F& f) const {
    for (int r = 0; r < rows_; ++r)
      for (int e = 0; e < node_.experts; ++e)
        if (const double w = at.routing->weights(r, e); w > 0) f(r, e, w);
  }

  void mix(std::byte* buffer) const {
    T* kernels = reinterpret_cast<T*>(buffer);
    std::fill_n(kernels, rows_ * row_params(), T(0));
    for (int i = 0; i < param_count(); ++i)
      for_each_pair([&](int r, int e, double w) {
        const T* from = this->param(i, e);
        for (long long j = 0; j < size_of(i); ++j) kernels[place(i, r) + j] += static_cast<T>(w) * from[j];
      });
  }

  /// dW_e = Σ_r w_re · dW_r, and dw_re = ⟨dW_r, W_e⟩.
  void unmix(const T* grads) const {
    at.routing_grads->weights.fill(0);
    for (int i = 0; i < param_count(); ++i) {
      if (this->wants_param(i))
        for (int e = 0; e < node_.experts; ++e) this->start(this->param_grad(i, e), size_of(i), this->adds_to_param(i));
      for_each_pair([&](int r, int e, double w) {
        const T *dw = grads + place(i, r), *weights = this->param(i, e);
        double slope = 0;
        for (long long j = 0; j < size_of(i); ++j) slope += static_cast<double>(dw[j]) * weights[j];
        at.routing_grads->weights(r, e) += slope;
        if (!this->wants_param(i)) return;
        T* grad = this->param_grad(i, e);
        for (long long j = 0; j < size_of(i); ++j) grad[j] += static_cast<T>(w) * dw[j];
      });
    }
  }

  ops::Conv op_;
  int rows_;
  std::unique_ptr<ConvKernel<T>> conv_;
  Routing row_by_row_;
  NodeNeeds inner_;
};

template <class T>
struct KernelFor<T, ops::MixedConv> {
  using type = MixedConvKernel<T>;
};

}  // namespace moecnn::reference
