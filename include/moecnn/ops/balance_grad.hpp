#pragma once
/// \file
/// Where a balance policy leaves the gradients of its loss.

#include <algorithm>
#include <span>
#include <vector>

#include "moecnn/core/matrix.hpp"

namespace moecnn {

/// Gradients of one batch's balance loss, weight included. A policy asks only for what its formula depends on; that part
/// then starts at zero and the policy adds to it. Unused parts cost nothing, neither here nor in backward.
class BalanceGrad {
 public:
  /// Forgets the last batch. Allocates nothing; the parts allocate when they are first asked for.
  void start(int rows, int experts) {
    rows_ = rows, experts_ = experts;
    has_importance_ = has_weights_ = has_scores_ = has_logits_ = false;
  }

  /// N: dL/dI_e, for losses on the importance I_e = Σ_rows w_e. Enough for most policies.
  std::span<double> importance() {
    if (!has_importance_) importance_.assign(experts_, 0.0);
    has_importance_ = true;
    return importance_;
  }
  /// rows × N: dL/dw, for losses on single sparse weights. Entries of experts that do not run are ignored.
  Matrix& weights() { return zeroed(weights_, has_weights_); }
  /// rows × N: dL/ds, for losses on the dense scores s (softmax over all experts): these reach every logit.
  Matrix& scores() { return zeroed(scores_, has_scores_); }
  /// rows × N: dL/dz, for losses on the logits z themselves (noise included in training).
  Matrix& logits() { return zeroed(logits_, has_logits_); }
  /// Zeros to compute with, valid until the next call.
  std::span<double> scratch(int size) {
    scratch_.assign(size, 0.0);
    return scratch_;
  }

  /// Takes over what `all`, the gradients of several routings joined, says about the rows from `first` on.
  void take_rows(const BalanceGrad& all, int first) {
    if (all.has_importance_) std::copy(all.importance_.begin(), all.importance_.end(), importance().begin());
    const auto rows = [&](const Matrix& from, Matrix& to) {
      for (int r = 0; r < rows_; ++r) std::copy_n(from.row(first + r).begin(), experts_, to.row(r).begin());
    };
    if (all.has_weights_) rows(all.weights_, weights());
    if (all.has_scores_) rows(all.scores_, scores());
    if (all.has_logits_) rows(all.logits_, logits());
  }

  bool has_scores() const { return has_scores_; }
  const Matrix& scores() const { return scores_; }
  bool has_logits() const { return has_logits_; }
  const Matrix& logits() const { return logits_; }
  /// dL/dw of row r and expert e, by both ways that lead to w.
  double weight(int r, int e) const {
    return (has_importance_ ? importance_[e] : 0.0) + (has_weights_ ? weights_(r, e) : 0.0);
  }

 private:
  Matrix& zeroed(Matrix& m, bool& has) {
    if (!has) m.resize(rows_, experts_), m.fill(0);
    has = true;
    return m;
  }

  int rows_ = 0, experts_ = 0;
  bool has_importance_ = false, has_weights_ = false, has_scores_ = false, has_logits_ = false;
  std::vector<double> importance_, scratch_;
  Matrix weights_, scores_, logits_;
};

}  // namespace moecnn
