#pragma once
/// \file
/// How the experts of one layer are used: sums over many batches, the figures that the papers print, and a watch that
/// warns early in a run.

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "moecnn/core/error.hpp"
#include "moecnn/core/plural.hpp"
#include "moecnn/ops/route.hpp"

namespace moecnn {

/// Standard deviation over the experts (population) divided by the mean, as a fraction: 0.5 is the papers' 50 %.
inline double coefficient_of_variation(std::span<const double> values) {
  double mean = 0, variance = 0;
  for (double v : values) mean += v / static_cast<double>(values.size());
  for (double v : values) variance += (v - mean) * (v - mean) / static_cast<double>(values.size());
  return mean > 0 ? std::sqrt(variance) / mean : 0.0;
}

/// Sums over batches, of a test set for instance, and the figures that follow from them.
class RoutingStats {
 public:
  void add(const Routing& r) {
    if (importance_.empty()) importance_.assign(r.experts, 0.0), load_.assign(r.experts, 0.0);
    check(experts() == r.experts, "statistics of {} experts cannot take up a routing of {}; use one object per layer",
          experts(), r.experts);
    for (int e = 0; e < r.experts; ++e) importance_[e] += r.importance[e], load_[e] += r.load[e];
    rows_ += r.rows;
    k_ = r.k;
    balance_loss_ += r.balance_loss;
    ++batches_;
  }
  /// Starts again, without giving memory back.
  void reset() {
    importance_.clear(), load_.clear();
    rows_ = batches_ = 0;
    balance_loss_ = 0;
  }

  int experts() const { return static_cast<int>(importance_.size()); }
  long long rows() const { return rows_; }
  long long batches() const { return batches_; }
  double mean_balance_loss() const { return batches_ ? balance_loss_ / static_cast<double>(batches_) : 0.0; }

  /// N: sum of the weights of each expert, and number of rows that each served.
  const std::vector<double>& importance() const { return importance_; }
  const std::vector<double>& load() const { return load_; }

  /// N: the same, divided by their sum over the experts.
  std::vector<double> importance_share() const { return shares(importance_); }
  std::vector<double> load_share() const { return shares(load_); }

  double importance_cv() const { return coefficient_of_variation(importance_); }
  double load_cv() const { return coefficient_of_variation(load_); }

  /// Mean weight over all rows, zeros included.
  double mean_weight(int e) const { return rows_ ? importance_[e] / static_cast<double>(rows_) : 0.0; }
  /// An expert lives if its mean weight, rounded to four decimals, is above 0.01.
  bool lives(int e) const { return std::nearbyint(mean_weight(e) * 1e4) > 100; }
  int living() const {
    int count = 0;
    for (int e = 0; e < experts(); ++e) count += lives(e);
    return count;
  }
  std::vector<int> dead() const {
    std::vector<int> list;
    for (int e = 0; e < experts(); ++e)
      if (!lives(e)) list.push_back(e);
    return list;
  }

  /// Normalised routing entropy H(u) / ln N of the importance shares u: 1 balanced, 0 collapsed; 1 for one expert.
  double entropy() const {
    double sum = 0;
    for (double u : importance_share()) sum -= u > 0 ? u * std::log(u) : 0.0;
    return experts() > 1 ? sum / std::log(experts()) : 1.0;
  }
  /// Share of importance held by the `top` busiest experts: 1 when they hold everything. Both top = 1 and top = k are
  /// worth a look, since the definition behind the published figures of top-expert concentration is not known.
  double concentration(int top = 1) const {
    auto share = importance_share();
    std::sort(share.begin(), share.end(), std::greater<>());
    double sum = 0;
    for (int i = 0; i < std::min(top, experts()); ++i) sum += share[i];
    return sum;
  }
  double top_k_concentration() const { return concentration(k_); }
  /// Active experts of the last batch.
  int k() const { return k_; }

  /// How few experts hold more than `share` of the importance: the busiest one, or the busiest k where these are at most
  /// half of all experts. 0: routing has not collapsed.
  int collapsed_to(double share = collapse_share) const {
    if (experts() < 2) return 0;
    if (concentration(1) > share) return 1;
    return 2 * k_ <= experts() && concentration(k_) > share ? k_ : 0;
  }
  static constexpr double collapse_share = 0.95;

 private:
  static std::vector<double> shares(std::vector<double> v) {
    double sum = 0;
    for (double x : v) sum += x;
    for (double& x : v) x = sum > 0 ? x / sum : 0.0;
    return v;
  }

  std::vector<double> importance_, load_;
  long long rows_ = 0, batches_ = 0;
  int k_ = 1;
  double balance_loss_ = 0;
};

struct WatchOpts {
  int patience = 100;  ///< steps without a row before an expert is reported, and window for the shares
  double collapse = RoutingStats::collapse_share;  ///< report what collapsed_to() finds

  /// Patience as a share of an epoch, at least 10 steps.
  static WatchOpts of_epoch(double share, int steps_per_epoch) {
    return {.patience = std::max(10, static_cast<int>(std::lround(share * steps_per_epoch)))};
  }
};

/// Watches the training of one layer: `watch.add(routing)` each step, then print what `warnings()` returns. A
/// problem is reported once, and again only after it had passed. The return of an expert is reported, too.
class RoutingWatch {
 public:
  explicit RoutingWatch(std::string layer, WatchOpts opts = {}) : layer_(std::move(layer)), opts_(opts) {
    check(opts_.patience >= 1, "RoutingWatch: patience is {} steps, expected at least 1", opts_.patience);
  }

  void add(const Routing& r) {
    if (idle_.empty()) idle_.assign(r.experts, 0), barred_.assign(r.experts, 0);
    for (int e = 0; e < r.experts; ++e) {
      if (r.load[e] > 0) {
        if (idle_[e] >= opts_.patience)
          news_.push_back(formatted("{}: expert {} of 0 … {} serves rows again.", layer_, e, r.experts - 1));
        idle_[e] = barred_[e] = 0;
        continue;
      }
      barred_[e] += r.barred[e] != 0;
      if (++idle_[e] == opts_.patience) report_dead(e, r.experts);
    }
    window_.add(r);
    if (r.experts < 2 || window_.batches() < opts_.patience) return;
    report_collapse();
    window_.reset();
  }

  /// Sentences since the last call.
  std::vector<std::string> warnings() { return std::exchange(news_, {}); }

 private:
  void report_dead(int e, int experts) {
    const std::string bar =
        barred_[e] ? formatted(" (the constraint barred it in {} of them)", barred_[e]) : std::string();
    news_.push_back(formatted(
        "{}: expert {} of 0 … {} has served no row for {}{} and no longer learns; a stronger balance loss, a lower "
        "learning rate or warm-up can bring it back.",
        layer_, e, experts - 1, counted(opts_.patience, "step"), bar));
  }

  void report_collapse() {
    const int few = window_.collapsed_to(opts_.collapse);
    if (few == 0) {
      collapsed_ = false;
      return;
    }
    if (std::exchange(collapsed_, true)) return;
    news_.push_back(formatted(
        "{}: routing has collapsed: {} of {} experts held {:.1f} % of the weight over the last {}; a stronger "
        "balance loss or a lower learning rate for the gate can help.",
        layer_, few, window_.experts(), 100 * window_.concentration(few), counted(opts_.patience, "step")));
  }

  std::string layer_;
  WatchOpts opts_;
  RoutingStats window_;
  std::vector<int> idle_, barred_;  ///< steps since an expert's last row, and in how many of them it was barred
  bool collapsed_ = false;
  std::vector<std::string> news_;
};

}  // namespace moecnn
