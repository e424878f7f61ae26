#pragma once
/// \file
/// A graph, lowered and planned: ready to run, step after step, in memory that was planned.

#include "moecnn/core/shared_cores.hpp"
#include "moecnn/graph/plan.hpp"
#include "moecnn/model/fold.hpp"
#include "moecnn/model/memory_check.hpp"
#include "moecnn/model/param_store.hpp"

#include <algorithm>

namespace moecnn {

/// A program in words, for messages. It is known to the arena by the address of this.
using ProgramName = std::shared_ptr<const std::string>;

/// The memory that the programs of one model share; they never run at the same time. It only grows. The values in it are
/// those of one program, its owner: the one that was given images last.
class Arena {
 public:
  /// Makes room for a program. Where the memory has to grow, what it held is gone and `who` owns it.
  void reserve(std::size_t bytes, ProgramName who = {}) {
    if (bytes <= memory_.bytes()) return;
    ++generation_;
    owner_ = std::move(who);
    memory_ = AlignedBuffer();  // give the old one back first
    memory_ = AlignedBuffer(bytes);
  }
  void claim(const ProgramName& who) {
    if (owner_ != who) owner_ = who;
  }
  const ProgramName& owner() const { return owner_; }

  std::byte* data() const { return memory_.data(); }
  std::size_t bytes() const { return memory_.bytes(); }
  int generation() const { return generation_; }

 private:
  AlignedBuffer memory_;
  ProgramName owner_;
  int generation_ = 0;
};

struct ProgramOpts {
  bool training = false;
  bool input_grad = false;                 ///< also the gradient of the images
  std::vector<int> seeds = {};             ///< edges whose gradient the caller gives, for graphs without a loss
  std::vector<int> keep = {};              ///< edges that stay readable after a run
  Rebuild rebuild = Rebuild::where_cheap;  ///< memory for time, see plan.hpp
};

/// The programs of one arena take turns: values are there from set_images() on until another program gets images, or
/// until one is made that needs more memory. Asking for them after that throws Error.
template <class Backend>
class Program {
 public:
  using T = typename Backend::scalar;

  /// Lowers and plans `graph`. The first program of a store also fills the store.
  Program(Graph graph, ParamStore<T>& store, Arena& arena, ProgramOpts opts = {})
      : graph_(std::move(graph)), store_(store), arena_(arena), opts_(std::move(opts)) {
    flow_ = analyse(graph_, opts_.training, opts_.seeds, opts_.input_grad);
    lowered_ = Backend::lower(graph_, flow_, store_.layouts());
    check(!store_.empty() || graph_.folds.empty(),
          "a program with folded batch norms needs the store that it folds them from; make a program of the unfolded "
          "graph first, as Model does");
    needs_.reserve(graph_.nodes.size());
    for (const auto& k : lowered_.kernels) needs_.push_back(k->needs());
    plan_ = make_plan(graph_, flow_, needs_, bytes(lowered_.value_layout), bytes(lowered_.grad_layout), opts_.keep,
                      opts_.rebuild);
    name_ = std::make_shared<const std::string>(text());
    allocate();
    routings_.resize(graph_.routings.size());
    slopes_.resize(graph_.routings.size());
    count_labels();
    bind();
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  const Graph& graph() const { return graph_; }
  const Flow& flow() const { return flow_; }
  const Plan& plan() const { return plan_; }
  const Lowered<T>& lowered() const { return lowered_; }
  const ProgramOpts& opts() const { return opts_; }
  int batch() const { return graph_.batch(); }
  /// "the training program for 64 images of 32 × 32".
  std::string text() const {
    const Extent images = graph_.edges[graph_.input].extent;
    std::string text = formatted("the {} program for {} image{} of {} × {}", opts_.training ? "training" : "inference",
                                 images.n, images.n == 1 ? "" : "s", images.h, images.w);
    for (const RoutingSpec& r : graph_.routings)
      if (r.k != r.policy->k()) return text + formatted(" with k = {}", r.k);
    return text;
  }

  /// Images [batch, C, h, w] in plain order; converted to the backend's scalar.
  template <class U>
  void set_images(const U* images) {
    arena_.reserve(plan_.arena_bytes, name_);  // there is room, unless growing has failed since
    rebind_if_moved();
    arena_.claim(name_);
    given_images_ = true;
    ran_ = false;
    const int e = graph_.input;
    const auto n = static_cast<std::size_t>(graph_.edges[e].elements());
    if (lowered_.value_layout[e]) {
      plain_.assign(images, images + n);
      lowered_.value_layout[e]->pack(plain_.data(), value(e));
    } else {
      std::copy(images, images + n, value(e));
    }
  }
  /// One label per row and pixel of the logits: [n, h, w] in plain order. Without a loss, one per image.
  void set_labels(const int* labels) { std::copy_n(labels, labels_.size(), labels_.begin()); }
  std::size_t label_count() const { return labels_.size(); }

  void forward(const StepContext& step) {
    check(!step.training || opts_.training, "this program was made for inference; run the model's training program");
    watch_cores();
    check_owner("the images");
    ran_ = false;
    rebind_if_moved();
    if (refreshed_ != store_.version()) {
      folded_.refresh(graph_, store_);
      for (auto& k : lowered_.kernels) k->refresh();
      refreshed_ = store_.version();
    }
    for (auto& k : lowered_.kernels) k->forward(step);
    ran_ = true;
    if (step.training) {
      store_.touch();  // running statistics have moved, which other programs have folded into weights
      refreshed_ = store_.version();
    }
  }

  void backward(const StepContext& step) {
    check_values();
    for (std::size_t n = graph_.nodes.size(); n-- > 0;) backward(n, step);
  }
  /// One node's part of it, to be called from the last node to the first: first makes again what this node is the first
  /// to read.
  void backward(std::size_t node, const StepContext& step) {
    check_owner("the values");
    for (int n : plan_.rebuilds[node]) lowered_.kernels[n]->rebuild();
    if (flow_.runs_backward[node]) lowered_.kernels[node]->backward(step);
  }

  /// Task loss of the last forward pass: Σ factor · mean over the network's losses. The balance losses are apart.
  double loss() const {
    double sum = 0;
    for (std::size_t i = 0; i < losses_.size(); ++i) sum += factors_[i] * losses_[i];
    return sum;
  }
  /// The mean of each loss without its factor, in the order in which they were recorded.
  const std::vector<double>& losses() const { return losses_; }
  /// Σ over mixtures of their weighted balance losses.
  double balance_loss() const {
    double sum = 0;
    for (const Routing& r : routings_) sum += r.balance_loss;
    return sum;
  }

  const std::vector<Routing>& routings() const { return routings_; }
  const std::vector<RoutingSlopes>& slopes() const { return slopes_; }
  /// Routing of the mixture with that name, e.g. "layer4".
  const Routing& routing(std::string_view name) const {
    for (std::size_t i = 0; i < graph_.routings.size(); ++i)
      if (graph_.routings[i].name == name) return routings_[i];
    std::string known;
    for (const RoutingSpec& r : graph_.routings) known += ' ' + r.name;
    fail("there is no mixture named \"{}\"; this network has:{}", name, known.empty() ? " none" : known);
  }

  /// Copies the value of an edge, in plain order. The edge must be an output or have been kept.
  void read(int edge, T* plain) const {
    check_values();
    read_as(lowered_.value_layout, plan_.value, edge, plain);
  }
  std::vector<T> read(int edge) const {
    std::vector<T> plain(graph_.edges[edge].elements());
    read(edge, plain.data());
    return plain;
  }
  std::vector<T> read(std::string_view name) const {
    const int e = graph_.find_edge(name);
    check(e >= 0, "there is no value named \"{}\"; names are those given in wire(), joined by dots", name);
    check(readable(e), "the memory of \"{}\" has been used again after it was read; name it in `keep` to look at it",
          name);
    return read(e);
  }
  /// Copies the gradient of an edge that is still there: that of the images, of seeds, or while debugging.
  void read_grad(int edge, T* plain) const {
    check_values();
    read_as(lowered_.grad_layout, plan_.grad, edge, plain);
  }

  /// Gives the gradient of a seed edge, in plain order, between forward() and backward().
  void seed(int edge, const T* plain) {
    check_values();
    T* g = grad(edge);
    if (lowered_.grad_layout[edge])
      lowered_.grad_layout[edge]->pack(plain, g);
    else
      std::copy_n(plain, graph_.edges[edge].elements(), g);
  }

  /// Where an edge lies in the arena now, in the backend's order; good until the arena grows, and not checked.
  T* value(int edge) const { return pointer(plan_.value[edge]); }
  T* grad(int edge) const { return pointer(plan_.grad[edge]); }

 private:
  /// All that this program needs and the store or the arena do not have yet, or Error where there is too little memory.
  void allocate() {
    const bool first = store_.empty();
    if (!first) folded_ = FoldedParams<T>(graph_, store_, lowered_.param_layout);
    MemoryNeed need{.folded = folded_.bytes(),
                    .activations = plan_.arena_bytes,
                    .given_back = arena_.bytes(),
                    .images = graph_.batch()};
    if (first || (opts_.training && store_.gradients().empty())) {
      const auto places = ParamStore<T>::places(graph_.params, lowered_.param_layout);
      if (first) need.parameters = places.all * sizeof(T);
      if (opts_.training) need.gradients = places.trained * sizeof(T);
    }
    check_memory(need, store_.memory_limit(), *name_);
    if (first) {
      store_.adopt(graph_, lowered_.param_layout);
      folded_ = FoldedParams<T>(graph_, store_, lowered_.param_layout);
    }
    if (opts_.training) store_.make_gradients();
    folded_.allocate();
    arena_.reserve(plan_.arena_bytes, name_);
  }

  std::vector<std::size_t> bytes(const std::vector<std::shared_ptr<const Layout<T>>>& layouts) const {
    std::vector<std::size_t> b(graph_.edges.size());
    for (std::size_t e = 0; e < b.size(); ++e)
      b[e] = sizeof(T) * (layouts[e] ? layouts[e]->elements() : static_cast<std::size_t>(graph_.edges[e].elements()));
    return b;
  }
  bool readable(int e) const {
    return std::find(graph_.outputs.begin(), graph_.outputs.end(), e) != graph_.outputs.end() ||
           std::find(opts_.keep.begin(), opts_.keep.end(), e) != opts_.keep.end();
  }
  void read_as(const std::vector<std::shared_ptr<const Layout<T>>>& layouts, const std::vector<int>& where, int edge,
               T* plain) const {
    const T* from = pointer(where[edge]);
    check(from != nullptr, "edge {} (\"{}\") has no memory in this program", edge, graph_.edges[edge].name);
    if (layouts[edge])
      layouts[edge]->unpack(from, plain);
    else
      std::copy_n(from, graph_.edges[edge].elements(), plain);
  }
  T* pointer(int buffer) const {
    return buffer < 0 ? nullptr : reinterpret_cast<T*>(arena_.data() + plan_.buffers[buffer].offset);
  }
  std::byte* bytes_at(int buffer) const { return buffer < 0 ? nullptr : arena_.data() + plan_.buffers[buffer].offset; }

  /// All losses of a network share the labels.
  void count_labels() {
    std::size_t labels = 0;
    for (const Node& n : graph_.nodes) {
      const auto* op = std::get_if<ops::CrossEntropy>(&n.op);
      if (!op) continue;
      const Extent x = graph_.edges[n.inputs[0]].extent;
      const auto wants = static_cast<std::size_t>(x.n * x.pixels());
      check(labels == 0 || labels == wants,
            "{}: this loss wants {} labels, another one {}; resize the logits of all losses to one size", n.name, wants,
            labels);
      labels = wants;
      factors_.push_back(op->factor);
    }
    losses_.assign(factors_.size(), 0.0);
    labels_.resize(labels ? labels : static_cast<std::size_t>(graph_.batch()));
  }

  /// Throws unless the arena holds what this program has put there.
  void check_owner(const char* what) const {
    if (given_images_ && arena_.owner() == name_) [[likely]]
      return;
    check(given_images_, "{} has no images yet; call set_images() before forward()", *name_);
    fail(
        "{} of {} are gone: all programs of a model share the memory of activations, and {} was made or given images "
        "since. Make all programs before the first run, use the values of one before the next gets its images, or give "
        "this one its images and run forward() again",
        what, *name_, arena_.owner() ? *arena_.owner() : std::string("another program"));
  }
  /// Throws unless the values of this program's last forward pass are there.
  void check_values() const {
    check_owner("the values");
    check(ran_, "{} has images but no values yet; call forward() after set_images()", *name_);
  }

  void rebind_if_moved() {
    if (bound_ != arena_.generation()) bind();
  }

  void bind() {
    std::size_t loss = 0;
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      const Node& node = graph_.nodes[n];
      Bindings<T> b;
      for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        b.input.push_back(value(node.inputs[i]));
        b.input_grad.push_back(flow_.input_mode[n][i] == GradMode::ignore ? nullptr : grad(node.inputs[i]));
      }
      b.output = value(node.output);
      b.output_grad = flow_.edge_grad[node.output] ? grad(node.output) : nullptr;
      for (std::size_t i = 0; i < node.params.size(); ++i)
        for (int e = 0; e < node.copies; ++e) {
          const int id = node.params[i] + e;
          b.param.push_back(id < store_.size() ? store_.value(id) : folded_.value(id));
          b.param_grad.push_back(flow_.param_mode[n][i] == GradMode::ignore ? nullptr : store_.grad(id));
        }
      for (int s : plan_.saved[n]) b.saved.push_back(bytes_at(s));
      b.scratch_forward = bytes_at(plan_.scratch[n][0]);
      b.scratch_backward = bytes_at(plan_.scratch[n][1]);
      if (node.routing >= 0) {
        b.routing = &routings_[node.routing];
        if (opts_.training) b.slopes = &slopes_[node.routing];
      }
      if (std::holds_alternative<ops::Route>(node.op))
        b.state = store_.state_data(graph_.routings[node.routing].state_id);
      b.labels = labels_.data();
      if (std::holds_alternative<ops::CrossEntropy>(node.op)) b.loss = &losses_[loss++];
      lowered_.kernels[n]->bind(b);
    }
    bound_ = arena_.generation();
    refreshed_ = 0;
  }

  Graph graph_;
  ParamStore<T>& store_;
  Arena& arena_;
  ProgramOpts opts_;
  Flow flow_;
  Lowered<T> lowered_;
  FoldedParams<T> folded_;
  std::vector<NodeNeeds> needs_;
  Plan plan_;
  std::vector<Routing> routings_;
  std::vector<RoutingSlopes> slopes_;
  std::vector<int> labels_;
  std::vector<T> plain_;
  std::vector<double> losses_, factors_;  ///< per cross-entropy
  ProgramName name_;
  bool given_images_ = false, ran_ = false;  ///< ever; forward() since the last images
  int bound_ = -1;
  std::uint64_t refreshed_ = 0;
};

}  // namespace moecnn
