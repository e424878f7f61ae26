#pragma once
/// \file
/// A user's own operation in a struct of twenty lines, computed by one loop on all CPU backends:
///
///     struct Halve : HostOp<Halve> {
///       std::string name() const override { return "halve"; }
///       MapShape output(std::span<const MapShape> in) const override { return in[0]; }
///       template <class T>
///       void forward(const HostRows<T>& r) const {
///         for (long long i = 0; i < r.size(); ++i) r.y[i] = r.x[0][i] / 2;
///       }
///       template <class T>
///       void backward(const HostRows<T>& r) const {
///         for (long long i = 0; i < r.size(); ++i) r.dx[0][i] += r.dy[i] / 2;
///       }
///     };

#include "moecnn/backend/host/node_kernel.hpp"
#include "moecnn/graph/custom.hpp"

namespace moecnn {

/// The arguments of forward() and backward() of a HostOp: rows that lie one after another in plain order
/// [rows, channels, h, w], inside a mixture those of one expert. Addresses are null where HostNeeds did not ask for them.
template <class T>
struct HostRows {
  int rows = 0;
  int first = 0;  ///< the number of the first row among all rows of the node
  std::span<const MapShape> in = {};
  MapShape out = {};
  const StepContext* step = nullptr;

  std::span<const T* const> x = {};  ///< per input
  T* y = nullptr;                    ///< forward() writes it
  std::span<T* const> param = {};    ///< per parameter
  std::span<T* const> saved = {};    ///< per HostNeeds::saved
  T* scratch = nullptr;

  // backward() only. Gradients add to what is there; null where nobody wants them.
  const T* dy = nullptr;
  std::span<T* const> dx = {};      ///< per input
  std::span<T* const> dparam = {};  ///< per parameter

  /// Elements in these rows of the output, and of an input.
  long long size() const { return rows * out.elements(); }
  long long size(int input) const { return rows * in[static_cast<std::size_t>(input)].elements(); }
};

/// Memory that a HostOp asks for.
struct HostNeeds {
  bool keep_inputs = true;            ///< backward() reads x
  bool keep_output = false;           ///< backward() reads y
  bool rebuild = false;               ///< forward() is cheap and may run again, so that its result need not be kept
  std::vector<long long> saved = {};  ///< elements per row: written by forward(), read by backward()
  long long scratch_forward = 0, scratch_backward = 0;  ///< elements per row, for as long as the call lasts
};

template <class Op, class T>
class HostOpKernel;

/// The base of an operation `Op` with one kernel for all CPU backends. `Op` has name(), output(), and as templates, or for
/// the types that it can take, `void forward(const HostRows<T>&) const` and `void backward(const HostRows<T>&) const`.
template <class Op>
class HostOp : public CustomOp {
 public:
  virtual HostNeeds needs(std::span<const MapShape>) const { return {}; }

  std::unique_ptr<Kernel> lower(const KernelTarget& target, const Graph& g, const Flow& f, int n) const override {
    if (target.dtype == DType::f64) return kernel<double>(g, f, n);
    return target.dtype == DType::f32 ? kernel<float>(g, f, n) : nullptr;
  }

 private:
  template <class T>
  std::unique_ptr<Kernel> kernel(const Graph& g, const Flow& f, int n) const {
    if constexpr (requires(const Op& op, const HostRows<T>& r) { op.forward(r); })
      return std::make_unique<HostOpKernel<Op, T>>(g, f, n);
    else
      return nullptr;
  }
};

/// Calls an operation of a user's own with the rows of a node, expert by expert.
template <class Op, class T>
class HostOpKernel final : public host::NodeKernel<T> {
 public:
  HostOpKernel(const Graph& g, const Flow& f, int n)
      : host::NodeKernel<T>(g, f, n),
        shared_(g.custom[static_cast<std::size_t>(std::get<ops::Custom>(node_.op).id)]),
        op_(static_cast<const Op&>(*shared_)),
        in_shapes_(detail::shapes_of_rows(g, node_.inputs)),
        out_shape_(detail::shape_of_row(this->out_)),
        needs_(op_.needs(in_shapes_)),
        x_(in_shapes_.size()),
        dx_(in_shapes_.size()),
        param_(node_.params.size()),
        dparam_(node_.params.size()),
        saved_(needs_.saved.size()) {
    for (int p : node_.params) param_elements_.push_back(g.params[p].elements());
    check(
        has_backward || !f.runs_backward[n],
        "{}: the operation {} has no backward(const HostRows<{}>&) const; write it, or have carries_gradient() answer "
        "false",
        node_.name.empty() ? std::string("the network") : node_.name, op_.name(), sizeof(T) == 8 ? "double" : "float");
  }

  NodeNeeds needs() const override {
    NodeNeeds n = this->plain_needs();
    const auto rows = static_cast<std::size_t>(this->out_.extent.n);
    n.keeps_input.assign(n.keeps_input.size(), needs_.keep_inputs);
    n.keeps_output = needs_.keep_output;
    n.rebuilds_output = needs_.rebuild && needs_.keep_inputs;
    for (long long s : needs_.saved) n.saved.push_back(sizeof(T) * rows * static_cast<std::size_t>(s));
    n.scratch_forward = sizeof(T) * rows * static_cast<std::size_t>(needs_.scratch_forward);
    n.scratch_backward = sizeof(T) * rows * static_cast<std::size_t>(needs_.scratch_backward);
    return n;
  }

  void forward(const StepContext& step) override {
    step_ = step;
    for_each_expert([&](int copy, int first, int count) {
      if (count == 0) return;
      HostRows<T> r = rows_of(copy, first, count, true, at.scratch_forward, needs_.scratch_forward);
      r.y = at.output + first * out_shape_.elements();
      op_.forward(r);
    });
  }
  void rebuild() override { forward(StepContext(step_)); }

  void backward(const StepContext& step) override {
    step_ = step;
    for_each_expert([&](int copy, int first, int count) {
      for (std::size_t i = 0; i < dx_.size(); ++i) {
        const long long row = in_shapes_[i].elements();
        dx_[i] = this->wants_input(i) ? at.input_grad[i] + first * row : nullptr;
        if (dx_[i]) this->start(dx_[i], count * row, this->adds_to_input(i));
      }
      for (std::size_t i = 0; i < dparam_.size(); ++i) {
        dparam_[i] = this->wants_param(i) ? this->param_grad(static_cast<int>(i), copy) : nullptr;
        if (dparam_[i]) this->start(dparam_[i], param_elements_[i], this->adds_to_param(i));
      }
      if (count == 0) return;
      HostRows<T> r = rows_of(copy, first, count, needs_.keep_inputs, at.scratch_backward, needs_.scratch_backward);
      r.y = needs_.keep_output ? at.output + first * out_shape_.elements() : nullptr;
      r.dy = at.output_grad + first * out_shape_.elements();
      r.dx = dx_, r.dparam = dparam_;
      if constexpr (has_backward) op_.backward(r);
    });
  }

 private:
  using host::NodeKernel<T>::at;
  using host::NodeKernel<T>::node_;
  static constexpr bool has_backward = requires(const Op& op, const HostRows<T>& r) { op.backward(r); };

  /// Outside experts() all rows that are there, also where they are grouped by expert.
  template <class F>
  void for_each_expert(const F& work) const {
    if (node_.experts == 1) return work(0, 0, this->rows());
    this->for_each_copy(work);
  }

  HostRows<T> rows_of(int copy, int first, int count, bool inputs, std::byte* scratch, long long scratch_row) {
    HostRows<T> r;
    r.rows = count, r.first = first, r.in = in_shapes_, r.out = out_shape_, r.step = &step_;
    for (std::size_t i = 0; i < x_.size(); ++i)
      x_[i] = inputs ? at.input[i] + first * in_shapes_[i].elements() : nullptr;
    for (std::size_t i = 0; i < param_.size(); ++i) param_[i] = this->param(static_cast<int>(i), copy);
    for (std::size_t i = 0; i < saved_.size(); ++i)
      saved_[i] = reinterpret_cast<T*>(at.saved[i]) + first * needs_.saved[i];
    if (scratch_row > 0) r.scratch = reinterpret_cast<T*>(scratch) + first * scratch_row;
    r.x = x_, r.param = param_, r.saved = saved_;
    return r;
  }

  std::shared_ptr<const CustomOp> shared_;
  const Op& op_;
  std::vector<MapShape> in_shapes_;
  MapShape out_shape_;
  HostNeeds needs_;
  std::vector<long long> param_elements_;
  std::vector<const T*> x_;
  std::vector<T*> dx_, param_, dparam_, saved_;
  StepContext step_;
};

}  // namespace moecnn
