#pragma once
/// \file
/// A graph, lowered and planned: ready to run, step after step, in memory that was planned.

#include "moecnn/core/bodies.hpp"
#include "moecnn/core/targets.hpp"
#include "moecnn/graph/backend.hpp"
#include "moecnn/graph/plan.hpp"
#include "moecnn/model/arena.hpp"
#include "moecnn/model/derived_params.hpp"

namespace moecnn {

struct ProgramOpts {
  bool training = false;
  bool input_grad = false;                 ///< also the gradient of the images
  std::vector<int> seeds = {};             ///< edges whose gradient the caller gives, for graphs without a loss
  std::vector<int> keep = {};              ///< edges that stay readable after a run
  bool repeats_mixtures = false;           ///< for forward_again(); takes memory for what mixtures add up
  Rebuild rebuild = Rebuild::where_cheap;  ///< memory for time, see plan.hpp
};

/// The programs of one arena take turns: values are there from set_images() on until another program gets images, or
/// until one is made that needs more memory. Asking for them after that throws Error.
class Program {
 public:
  /// Lowers and plans `graph`, whose edges and parameters have the types that they are to have. The first program of a
  /// store also fills the store. Backend, store and arena outlive the program.
  Program(Graph graph, Backend& backend, ParamStore& store, Arena& arena, ProgramOpts opts = {});
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  const Graph& graph() const { return graph_; }
  const Flow& flow() const { return flow_; }
  const Plan& plan() const { return plan_; }
  const Lowered& lowered() const { return lowered_; }
  const ProgramOpts& opts() const { return opts_; }
  Backend& backend() const { return backend_; }
  int batch() const { return graph_.batch(); }
  /// Edges of the targets that forward() needs, as Graph::targets() has them.
  const std::vector<int>& targets() const { return targets_; }
  /// "the training program for 64 images of 32 × 32".
  std::string text() const;

  /// Images [batch, C, h, w] in plain order: bytes, floats or doubles; converted to the type of the input's edge.
  template <class U>
  void set_images(const U* images) {
    set_images(images, dtype_of<U>);
  }
  void set_images(const void* images, DType type);
  /// A target of the network's losses by name, in plain order, after the images of the batch; converted to the type of its
  /// edge, see Graph::targets(). It stays for further steps until another program gets images. Throws Error where there is none of that name, and on a label that is no class.
  template <class U>
  void set_target(std::string_view name, const U* values) {
    set_target(name, values, dtype_of<U>);
  }
  void set_target(std::string_view name, const void* values, DType type);
  /// The target "labels": one per row and pixel of the logits, [n, h, w].
  void set_labels(const std::int32_t* labels) { set_target("labels", labels); }

  void forward(const StepContext& step);
  /// After forward() with equal weights, where all experts have run: the same images with the experts and weights that
  /// `step` asks for (k, fixed_expert, equal_weights). Only the sums of the first mixtures and what lies behind them run
  /// again, not the experts. For inference programs with `repeats_mixtures` and room for every expert; any number of
  /// times.
  void forward_again(const StepContext& step);
  void backward(const StepContext& step);
  /// One node's part of it, to be called from the last node to the first: first makes again what this node is the first
  /// to read.
  void backward(std::size_t node, const StepContext& step);

  /// Task loss of the last forward pass: Σ factor · mean over the network's losses. The balance losses are apart.
  double loss() const;
  /// The result of each loss, in the order in which they were recorded.
  const std::vector<LossResult>& losses() const { return losses_; }
  /// The i-th summand of loss(): factor · mean.
  double loss_part(std::size_t i) const;
  /// The operation of the i-th of them: "cross-entropy", "focal loss".
  std::string_view loss_name(std::size_t i) const;
  /// Σ over mixtures of their weighted balance losses.
  double balance_loss() const;

  const std::vector<Routing>& routings() const { return routings_; }
  const std::vector<RoutingGrads>& routing_grads() const { return routing_grads_; }
  /// Routing of the mixture with that name, e.g. "layer4".
  const Routing& routing(std::string_view name) const;

  /// Copies the value of an edge, in plain order. The edge must be an output or have been kept.
  template <class T>
  void read(int edge, T* plain) const {
    read(edge, plain, dtype_of<T>);
  }
  void read(int edge, void* plain, DType as) const;
  /// By default as doubles, which hold every number exactly.
  template <class T = double>
  std::vector<T> read(int edge) const {
    std::vector<T> plain(static_cast<std::size_t>(graph_.edges[edge].elements()));
    read(edge, plain.data(), dtype_of<T>);
    return plain;
  }
  template <class T = double>
  std::vector<T> read(std::string_view name) const {
    return read<T>(readable_edge(name));
  }
  /// Copies the gradient of an edge that is still there: that of the images, of seeds, or while debugging.
  template <class T>
  void read_grad(int edge, T* plain) const {
    read_grad(edge, plain, dtype_of<T>);
  }
  void read_grad(int edge, void* plain, DType as) const;

  /// Gives the gradient of a seed edge, in plain order, between forward() and backward().
  template <class T>
  void seed(int edge, const T* plain) {
    seed(edge, plain, dtype_of<T>);
  }
  void seed(int edge, const void* plain, DType type);

  /// Where an edge lies in the arena now, in the backend's memory and order; good until the arena grows, and not checked.
  std::byte* value_data(int edge) const { return bytes_at(plan_.value[edge]); }
  std::byte* grad_data(int edge) const { return bytes_at(plan_.grad[edge]); }

 private:
  void find_first_sum();
  bool runs_again(std::size_t node) const;
  void run_from(std::size_t first, const StepContext& step);
  void weigh(std::size_t routing);
  void allocate();
  std::vector<std::size_t> bytes(const Layouts& layouts) const;
  int readable_edge(std::string_view name) const;
  void read_as(const Layout* layout, const std::byte* from, int edge, void* plain, DType as) const;
  void write_as(const Layout* layout, const void* plain, DType type, std::byte* to, int edge);
  std::byte* bytes_at(int buffer) const { return buffer < 0 ? nullptr : arena_.data() + plan_.buffers[buffer].offset; }
  void check_labels(int edge, const std::int32_t* labels) const;
  void check_owner(const char* what) const;
  void check_values() const;
  void rebind_if_moved() {
    if (bound_ != arena_.generation()) bind();
  }
  void bind();

  Graph graph_;
  Backend& backend_;
  ParamStore& store_;
  Arena& arena_;
  ProgramOpts opts_;
  Flow flow_;
  Lowered lowered_;
  DerivedParams derived_;
  std::vector<NodeNeeds> needs_;
  Plan plan_;
  std::vector<Routing> routings_;
  std::vector<RoutingGrads> routing_grads_;
  std::size_t first_sum_ = 0;     ///< with `repeats_mixtures`: the first node that weighs experts
  std::vector<Routing> all_ran_;  ///< the tables of forward() with equal weights; empty after another forward()
  std::vector<std::byte> plain_, stored_;  ///< the images on their way in
  std::vector<int> targets_, loss_nodes_;
  std::vector<char> given_targets_;  ///< per target: its values are in the arena
  std::vector<LossResult> losses_;
  ProgramName name_;
  bool given_images_ = false, ran_ = false;  ///< ever; forward() since the last images
  int bound_ = -1;
  std::uint64_t refreshed_ = 0;
};

}  // namespace moecnn

#if MOECNN_BODIES
#include "moecnn/model/program_impl.hpp"
#endif
