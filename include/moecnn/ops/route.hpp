#pragma once
/// \file
/// The routing of one batch, and the interface of all router, balance and constraint policies.
/// Routing is host code in double precision on every backend: logits come to the host, the table goes back. That is
/// why the same logits give bit-identical routing everywhere, and why a user's own policy runs unchanged everywhere.

#include "moecnn/core/matrix.hpp"
#include "moecnn/core/rng.hpp"
#include "moecnn/ops/balance_grad.hpp"
#include "moecnn/ops/traits.hpp"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace moecnn {

/// Which experts serve which rows of one batch, and with what weight. Rows are images (or patches), N = experts.
/// A *slot* is one (row, expert) pair that is executed; slots are grouped by expert, rows ascending within an expert.
struct Routing {
  int rows = 0, experts = 0, k = 0;

  Matrix logits;   ///< rows × N: gate output, plus noise in training; without barring
  Matrix scores;   ///< rows × N: softmax of `logits` over all experts ("dense weights")
  Matrix weights;  ///< rows × N: sparse weights w; at most k non-zero per row, summing to 1 when renormalised
  std::vector<char> barred;        ///< N: not zero where a constraint forbade the expert for this batch
  std::vector<double> importance;  ///< N: I_e = Σ_rows w_e, on sparse weights
  std::vector<int> load;           ///< N: rows with w_e > 0

  std::vector<int> offset;          ///< N + 1: slots of expert e are [offset[e], offset[e + 1])
  std::vector<int> slot_row;        ///< slots: the row that a slot serves
  std::vector<int> row_slots;       ///< rows × k: slots of a row in ascending expert order, then -1
  std::vector<double> slot_weight;  ///< slots

  /// Where experts are of several types: for each the rows that it serves, as a routing of one expert. Empty otherwise.
  std::vector<Routing> parts;

  double balance_loss = 0;   ///< already multiplied by its weight
  BalanceGrad balance_grad;  ///< gradients of `balance_loss`, kept for backward

  int slots() const { return offset.empty() ? 0 : offset.back(); }
  int slots_of(int e) const { return offset[e + 1] - offset[e]; }

  /// Sizes everything for `rows` rows; never allocates again for fewer rows or a smaller k.
  void resize(int rows_now, int experts_now, int k_now) {
    rows = rows_now, experts = experts_now, k = k_now;
    logits.resize(rows, experts);
    scores.resize(rows, experts);
    weights.resize(rows, experts);
    barred.assign(experts, 0);
    importance.assign(experts, 0.0);
    load.assign(experts, 0);
    offset.assign(experts + 1, 0);
    slot_row.reserve(static_cast<std::size_t>(rows) * k);
    slot_weight.reserve(static_cast<std::size_t>(rows) * k);
    row_slots.resize(static_cast<std::size_t>(rows) * k);
  }
};

/// Gradients of the total loss that routing needs for its backward pass, and those that it hands back.
struct RoutingGrads {
  Matrix weights;  ///< in: rows × N, dL/dw of the *task* loss at executed slots (0 elsewhere)
  Matrix total;    ///< out: rows × N, `weights` plus the balance loss's gradient at executed slots
  Matrix logits;   ///< out: rows × N, dL/dlogits, balance loss included
  Matrix noise;    ///< out: rows × N, dL/d(raw noise scale); meaningful when the policy adds noise
};

/// A named vector of doubles that a constraint keeps between batches; stored in checkpoints under the gate's name.
struct StateSpec {
  std::string name;
  int size = 0;
};

/// A policy's information about the batch that it routes.
struct RouteContext {
  bool training = false;
  Rng noise{0, Purpose::gate_noise};  ///< this layer's stream for this step; index = row * N + expert
  bool noise_off = false;             ///< switches learned noise off without changing the network
  int k = 0;                          ///< experts per row; 0 = what the router was built with
  int fixed_expert = -1;              ///< ≥ 0: every row goes to this expert with weight 1 (analysis)
  bool equal_weights = false;         ///< every expert runs with weight 1/N (analysis)
  bool grouped = false;               ///< the balance loss comes later, by finish() for a whole group
  std::span<double> state;            ///< the constraint's state vectors, one after the other
};

/// A router with its balance loss and its hard constraint behind one virtual call per batch.
class RoutePolicy {
 public:
  virtual ~RoutePolicy() = default;
  virtual int experts() const = 0;
  virtual int k() const = 0;
  /// True when the router adds learned noise, so that the mixture layer wires the noise weights.
  virtual bool wants_noise() const = 0;
  virtual std::vector<StateSpec> state() const = 0;
  /// Its settings by name and in words, such as {"balance", "importance, weight 0.5"}: a training run that goes on must
  /// have the same.
  virtual std::vector<std::pair<std::string, std::string>> settings() const { return {}; }

  /// Routes one batch. `logits` and `raw_noise` are rows × N (`raw_noise` may be empty). Fills `out` completely and,
  /// in training, updates the constraint's state afterwards.
  virtual void route(const Matrix& logits, const Matrix& raw_noise, RouteContext& context, Routing& out) const = 0;

  /// Computes the balance loss of `out` and its gradients. route() ends with this unless `grouped` is set. `out` may be
  /// several routings joined, row by row, without slots.
  virtual void finish(RouteContext& context, Routing& out) const = 0;

  /// dL/dw → dL/dlogits and dL/dnoise; adds the balance loss's gradient. `routing` is what route() produced.
  virtual void backward(const Matrix& raw_noise, const RouteContext& context, const Routing& routing,
                        RoutingGrads& grads) const = 0;
};

namespace ops {

/// Inputs: logits [rows, N] and, when the policy adds noise, raw noise scales [rows, N]. Output: the routing table.
/// Policy, sizes and state are in the graph's RoutingSpec of that node.
struct Route {
  static constexpr Traits traits{.name = "route", .full_precision = true};
};

/// Input: rows [n]. Output: slots [≤ n·k], grouped by expert. For one expert alone (Node::expert): the rows that it serves.
struct Gather {
  static constexpr Traits traits{.name = "gather"};
};

/// Input: slots, or for each expert the rows that it serves. Output: rows; y_r = Σ over the row's slots of w_s · x_s.
struct Combine {
  static constexpr Traits traits{.name = "combine"};
};

}  // namespace ops
}  // namespace moecnn
