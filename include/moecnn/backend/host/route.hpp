#pragma once
/// \file
/// The mixture's kernels. They only need rows to be the outermost dimension, so every host backend uses them, whatever
/// the layout inside a row.

#include "moecnn/backend/host/kernel_for.hpp"
#include "moecnn/core/glob.hpp"

namespace moecnn::host {

/// Hands the gate's logits to the policy. The routing itself is host code in double on every backend.
template <class T>
class RouteKernel final : public NodeKernel<T> {
 public:
  RouteKernel(const Graph& g, const Flow& f, int n) : NodeKernel<T>(g, f, n), spec_(g.routings[node_.routing]) {
    logits_.resize(spec_.rows, spec_.experts);
    if (node_.inputs.size() > 1) noise_.resize(spec_.rows, spec_.experts);
    for (int i = 0; i < static_cast<int>(g.routings.size()) && spec_.group >= 0; ++i)
      if (g.routings[i].group == spec_.group) members_.push_back(i);
    // Nodes run in order, so the one with the highest number is the last to route.
    for (int i : members_) last_of_group_ = last_of_group_ && g.routings[i].node <= n;
  }

  void bind(const Bindings& b) override {
    NodeKernel<T>::bind(b);
    at.routing->resize(spec_.rows, spec_.experts, spec_.k);
    for (Routing& part : at.routing->parts) part.resize(spec_.rows, 1, 1);
    if (at.routing_grads)
      for (Matrix* m : {&at.routing_grads->weights, &at.routing_grads->logits, &at.routing_grads->noise})
        m->resize(spec_.rows, spec_.experts);
  }

  void forward(const StepContext& step) override {
    check(!step.equal_weights || spec_.k == spec_.experts,
          "{}: equal weights run all {} experts, this program has room for k = {}; ask the model for a program with "
          "k = every_expert",
          spec_.name, spec_.experts, spec_.k);
    std::copy_n(at.input[0], logits_.flat().size(), logits_.flat().begin());
    std::copy_n(node_.inputs.size() > 1 ? at.input[1] : nullptr, noise_.flat().size(), noise_.flat().begin());
    context_.training = step.training;
    context_.noise = Rng(step.seed, Purpose::gate_noise, hash_name(spec_.name) + step.step);
    context_.noise_off = step.noise_off;
    check(step.k <= spec_.k, "{}: {} experts per row are asked for, this program has room for {}", spec_.name, step.k,
          spec_.k);
    context_.k = step.equal_weights ? spec_.experts : step.k == as_built ? 0 : step.k > 0 ? step.k : spec_.k;
    const bool fixed = step.fixed_in.empty() || glob_matches(step.fixed_in, spec_.name);
    context_.fixed_expert = fixed ? step.fixed_expert : -1;
    context_.equal_weights = step.equal_weights;
    context_.grouped = members_.size() > 1;
    context_.state = {at.state, static_cast<std::size_t>(spec_.state_size)};
    try {
      spec_.policy->route(logits_, noise_, context_, *at.routing);
      if (context_.grouped && last_of_group_) finish_group();
    } catch (const Error& e) {
      fail("{} at step {}: {}", spec_.name, step.step, e.what());
    }
    for (std::size_t e = 0; e < at.routing->parts.size(); ++e) cut_out(static_cast<int>(e), at.routing->parts[e]);
    std::copy_n(at.routing->weights.flat().begin(), at.routing->weights.flat().size(), at.output);
  }

  void backward(const StepContext&) override {
    spec_.policy->backward(noise_, context_, *at.routing, *at.routing_grads);
    hand_over(0, at.routing_grads->logits);
    if (node_.inputs.size() > 1) hand_over(1, at.routing_grads->noise);
  }

 private:
  using NodeKernel<T>::at;
  using NodeKernel<T>::node_;

  /// The balance loss of all members' rows. It is the last member's; each has the gradients of its own rows.
  void finish_group() {
    int rows = 0;
    for (int i : members_) rows += at.routings[i].rows;
    joined_.resize(rows, spec_.experts, spec_.k);
    joined_.barred = at.routing->barred;
    joined_.balance_loss = 0;
    joined_.balance_grad.start(rows, spec_.experts);
    rows = 0;
    for (int i : members_) {
      const Routing& r = at.routings[i];
      for (int row = 0; row < r.rows; ++row, ++rows) {
        std::copy_n(r.logits.row(row).begin(), spec_.experts, joined_.logits.row(rows).begin());
        std::copy_n(r.scores.row(row).begin(), spec_.experts, joined_.scores.row(rows).begin());
        std::copy_n(r.weights.row(row).begin(), spec_.experts, joined_.weights.row(rows).begin());
      }
      for (int e = 0; e < spec_.experts; ++e) joined_.importance[e] += r.importance[e], joined_.load[e] += r.load[e];
    }
    spec_.policy->finish(context_, joined_);
    at.routing->balance_loss = joined_.balance_loss;
    rows = 0;
    for (int i : members_) {
      at.routings[i].balance_grad.take_rows(joined_.balance_grad, rows);
      rows += at.routings[i].rows;
    }
  }

  /// The rows of expert e, as a routing of one expert.
  void cut_out(int e, Routing& part) const {
    const Routing& all = *at.routing;
    const int first = all.offset[e], count = all.slots_of(e);
    part.offset[1] = count;
    part.slot_row.assign(all.slot_row.begin() + first, all.slot_row.begin() + first + count);
    part.slot_weight.assign(all.slot_weight.begin() + first, all.slot_weight.begin() + first + count);
    std::fill(part.row_slots.begin(), part.row_slots.end(), -1);
    for (int s = 0; s < count; ++s) part.row_slots[part.slot_row[s]] = s;
  }

  void hand_over(std::size_t i, const Matrix& from) const {
    if (!this->wants_input(i)) return;
    T* grad = at.input_grad[i];
    for (double s : from.flat()) this->deliver(*grad++, s, this->adds_to_input(i));
  }

  RoutingSpec spec_;
  Matrix logits_, noise_;
  RouteContext context_;
  std::vector<int> members_;  // of the balance group, as in Graph::routings
  bool last_of_group_ = true;
  Routing joined_;
};

/// Copies rows to slots.
template <class T>
class GatherKernel final : public NodeKernel<T> {
 public:
  static constexpr Orders orders = Orders::rows;
  /// `row_elements`: stored elements of one row, padding included; 0 = plain layout.
  GatherKernel(const Graph& g, const Flow& f, int n, std::size_t row_elements = 0)
      : NodeKernel<T>(g, f, n),
        row_(row_elements ? row_elements : static_cast<std::size_t>(this->in_[0].elements() / this->in_[0].extent.n)) {}

  void forward(const StepContext&) override {
    const int slots = at.routing->slots();
#pragma omp parallel for if (worth_sharing(1LL * slots * row_))
    for (int s = 0; s < slots; ++s)
      std::memcpy(at.output + s * row_, at.input[0] + at.routing->slot_row[s] * row_, row_ * sizeof(T));
  }

  void backward(const StepContext&) override {
    const int rows = at.routing->rows, k = at.routing->k;
#pragma omp parallel for if (worth_sharing(1LL * rows * k * row_))
    for (int r = 0; r < rows; ++r) {
      T* dx = at.input_grad[0] + r * row_;
      bool first = !this->adds_to_input(0);
      for (int j = 0; j < k; ++j) {
        const int s = at.routing->row_slots[r * k + j];
        if (s < 0) break;
        const T* dy = at.output_grad + s * row_;
        if (first)
          std::memcpy(dx, dy, row_ * sizeof(T));
        else
          for (std::size_t i = 0; i < row_; ++i) dx[i] += dy[i];
        first = false;
      }
      if (first) std::fill(dx, dx + row_, T(0));  // a row that no expert served
    }
  }

 private:
  using NodeKernel<T>::at;
  std::size_t row_;
};

/// Σ weight · slot, back to rows.
template <class T>
class CombineKernel final : public NodeKernel<T> {
 public:
  static constexpr Orders orders = Orders::rows;
  CombineKernel(const Graph& g, const Flow& f, int n, std::size_t row_elements = 0)
      : NodeKernel<T>(g, f, n),
        row_(row_elements ? row_elements : static_cast<std::size_t>(this->out_.elements() / this->out_.extent.n)) {}

  NodeNeeds needs() const override {
    NodeNeeds n = this->plain_needs();
    n.keeps_input.assign(n.keeps_input.size(), 1);  // the gradient of a weight is ⟨dy, x⟩
    return n;
  }

  void forward(const StepContext&) override {
    const int rows = at.routing->rows, k = at.routing->k;
#pragma omp parallel for if (worth_sharing(1LL * rows * k * row_))
    for (int r = 0; r < rows; ++r) {
      T* y = at.output + r * row_;
      bool first = true;
      for (int j = 0; j < k; ++j) {
        const int s = at.routing->row_slots[r * k + j];
        if (s < 0) break;
        const T w = static_cast<T>(at.routing->slot_weight[s]);
        const T* x = slot(at.input, s);
        if (first)
          for (std::size_t i = 0; i < row_; ++i) y[i] = w * x[i];
        else
          for (std::size_t i = 0; i < row_; ++i) y[i] += w * x[i];
        first = false;
      }
      if (first) std::fill(y, y + row_, T(0));
    }
  }

  void backward(const StepContext&) override {
    const Routing& r = *at.routing;
    at.routing_grads->weights.fill(0);
#pragma omp parallel for if (worth_sharing(1LL * r.slots() * row_))
    for (int e = 0; e < r.experts; ++e)
      for (int s = r.offset[e]; s < r.offset[e + 1]; ++s) {
        const std::size_t i_of_expert = at.input.size() > 1 ? static_cast<std::size_t>(e) : 0;
        const T *x = slot(at.input, s), *dy = at.output_grad + r.slot_row[s] * row_;
        at.routing_grads->weights(r.slot_row[s], e) = dot(x, dy);
        if (!this->wants_input(i_of_expert)) continue;
        T* dx = slot(at.input_grad, s);
        const T w = static_cast<T>(r.slot_weight[s]);
        if (this->adds_to_input(i_of_expert))
          for (std::size_t i = 0; i < row_; ++i) dx[i] += w * dy[i];
        else
          for (std::size_t i = 0; i < row_; ++i) dx[i] = w * dy[i];
      }
  }

 private:
  using NodeKernel<T>::at;

  /// Where slot s lies: in the one input, or in that of its expert.
  T* slot(const std::vector<T*>& inputs, int s) const {
    if (inputs.size() == 1) return inputs[0] + s * row_;
    const auto& offset = at.routing->offset;
    const auto e = std::upper_bound(offset.begin(), offset.end(), s) - offset.begin() - 1;
    return inputs[static_cast<std::size_t>(e)] + (s - offset[static_cast<std::size_t>(e)]) * row_;
  }

  /// In blocks whose partial sums are floats and vectorise; the sum of the blocks is a double. Fixed order.
  double dot(const T* a, const T* b) const {
    constexpr std::size_t lanes = 16, block = 1024;
    double sum = 0;
    std::size_t i = 0;
    for (; i + lanes <= row_; i += block) {
      T part[lanes] = {};
      const std::size_t end = std::min(row_ - row_ % lanes, i + block);
      for (std::size_t j = i; j < end; j += lanes)
        for (std::size_t l = 0; l < lanes; ++l) part[l] += a[j + l] * b[j + l];
      for (T p : part) sum += p;
    }
    for (i = row_ - row_ % lanes; i < row_; ++i) sum += static_cast<double>(a[i]) * b[i];
    return sum;
  }

  std::size_t row_;
};

template <class T>
struct KernelFor<T, ops::Route> {
  using type = RouteKernel<T>;
};
template <class T>
struct KernelFor<T, ops::Gather> {
  using type = GatherKernel<T>;
};
template <class T>
struct KernelFor<T, ops::Combine> {
  using type = CombineKernel<T>;
};

}  // namespace moecnn::host
