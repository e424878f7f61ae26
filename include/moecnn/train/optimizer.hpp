#pragma once
/// \file
/// Optimisers: one pass over the parameters of a store.

#include <algorithm>
#include <string_view>

#include "moecnn/backend/host/parameter_math.hpp"
#include "moecnn/core/dispatch.hpp"
#include "moecnn/model/memory_check.hpp"
#include "moecnn/model/param_store.hpp"
#include "moecnn/train/adam.hpp"
#include "moecnn/train/param_groups.hpp"
#include "moecnn/train/sgd.hpp"

namespace moecnn {

/// Any of the optimisers, chosen at run time. They hold settings only; the learning rate comes from the schedule.
using AnyOptimizer = std::variant<Sgd, Adam, AdamW>;

/// The settings in words, for logs and to recognise a run: "adam, betas 0.9 0.999, eps 1e-08, weight decay 0".
inline std::string text_of(const AnyOptimizer& o) {
  return dispatch(o, [](const auto& rule) { return rule.text(); });
}

/// "sgd", "adam" or "adamw" with default settings. Throws Error on another name.
inline AnyOptimizer optimizer_by_name(std::string_view name) {
  if (name == Sgd::name) return Sgd{};
  if (name == Adam::name) return Adam{};
  if (name == AdamW::name) return AdamW{};
  fail("there is no optimiser '{}'; choose sgd, adam or adamw", name);
}

/// An optimiser at work on one parameter store: the moments, stored like the parameters (same memory and layout, padding
/// zero). All memory is allocated at construction.
class Optimizer {
 public:
  /// `math`: that of the store's backend, which outlives the optimiser. It works on `spans` alone.
  Optimizer(AnyOptimizer rule, const ParamStore& store, ParameterMath& math, std::vector<ParamSpan> spans)
      : rule_(std::move(rule)), math_(math), spans_(std::move(spans)) {
    dispatch(rule_, [&](const auto& r) {
      r.verify();
      check_memory({.moments = r.moment_count() * store.trained_bytes()}, store.memory_limit(), text_of(rule_));
      for (int m = 0; m < r.moment_count(); ++m) {
        moments_.emplace_back(store.memory(), store.trained_bytes());
        names_.emplace_back(r.moments[m]);
      }
    });
  }

  /// On all parameters of the store that are not frozen.
  Optimizer(AnyOptimizer rule, const ParamStore& store, ParameterMath& math = host::host_math())
      : Optimizer(std::move(rule), store, math, param_spans(store)) {}

  /// Updates the parameters from their gradients with learning rate `lr`. Element by element, so the result does not
  /// depend on the number of threads.
  void step(ParamStore& store, double lr) {
    check(store.has_gradients(), "the optimiser found no gradients; run the model's training program first");
    ++steps_;
    for (const ParamSpan& s : spans_) {
      UpdateSpan span{store.dtype(), s.elements, store.trained_data() + s.offset, store.gradient_data() + s.offset};
      for (std::size_t m = 0; m < moments_.size(); ++m) span.moments[m] = moments_[m].data() + s.offset;
      UpdateRule rule = dispatch(rule_, [&](const auto& r) { return r.rule(lr * s.rate, steps_); });
      if (s.weight_decay) rule.weight_decay = *s.weight_decay;
      math_.update(rule, span);
    }
    store.touch();
  }

  const AnyOptimizer& rule() const { return rule_; }
  const std::vector<ParamSpan>& spans() const { return spans_; }
  std::int64_t steps() const { return steps_; }
  void set_steps(std::int64_t steps) { steps_ = steps; }

  /// Moments by name ("exp_avg"), each stored like the trained parameters: that of parameter i begins store.offset(i)
  /// bytes behind `stored`.
  struct Moment {
    std::string name;
    std::byte* stored;
  };
  std::vector<Moment> moments() const {
    std::vector<Moment> list;
    for (std::size_t m = 0; m < moments_.size(); ++m) list.push_back({names_[m], moments_[m].data()});
    return list;
  }

 private:
  AnyOptimizer rule_;
  ParameterMath& math_;
  std::vector<ParamSpan> spans_;
  std::vector<DeviceBuffer> moments_;
  std::vector<std::string> names_;
  std::int64_t steps_ = 0;
};

}  // namespace moecnn
