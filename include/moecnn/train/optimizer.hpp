#pragma once
/// \file
/// Optimisers: one pass over all parameters of a store.

#include <algorithm>
#include <string_view>

#include "moecnn/core/dispatch.hpp"
#include "moecnn/core/threads.hpp"
#include "moecnn/model/memory_check.hpp"
#include "moecnn/model/param_store.hpp"
#include "moecnn/train/adam.hpp"
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

/// An optimiser at work on one parameter store: the moments, stored like the parameters (same layout, padding zero).
/// All memory is allocated at construction.
template <class T>
class Optimizer {
 public:
  Optimizer(AnyOptimizer rule, const ParamStore<T>& store) : rule_(std::move(rule)) {
    dispatch(rule_, [&](const auto& r) {
      r.verify();
      check_memory({.moments = r.moment_count() * store.trained().size_bytes()}, store.memory_limit(), text_of(rule_));
      for (int m = 0; m < r.moment_count(); ++m) {
        moments_.emplace_back(store.trained().size_bytes());
        names_.emplace_back(r.moments[m]);
      }
    });
  }

  /// Updates all parameters from their gradients with learning rate `lr`. Element by element, so the result does not
  /// depend on the number of threads.
  void step(ParamStore<T>& store, double lr) {
    ++steps_;
    dispatch(rule_, [&](const auto& r) {
      using Rule = std::decay_t<decltype(r)>;
      walk(store.trained(), store.gradients(), typename Rule::template Update<T>(r, lr, steps_));
    });
    store.touch();
  }

  const AnyOptimizer& rule() const { return rule_; }
  std::int64_t steps() const { return steps_; }
  void set_steps(std::int64_t steps) { steps_ = steps; }

  /// Moments by name ("exp_avg"), each stored like store.trained(): that of parameter i begins at store.offset(i).
  struct Moment {
    std::string name;
    T* stored;
  };
  std::vector<Moment> moments() const {
    std::vector<Moment> list;
    for (std::size_t m = 0; m < moments_.size(); ++m) list.push_back({names_[m], moments_[m].template as<T>()});
    return list;
  }

 private:
  template <class Update>
  void walk(std::span<T> p, std::span<T> g, const Update& update) {
    check(g.size() == p.size(), "the optimiser found no gradients; run the model's training program first");
    constexpr std::size_t block = 16384;  // elements: small enough for the caches, large enough for the loop's overhead
    const auto blocks = static_cast<std::int64_t>((p.size() + block - 1) / block);
    std::array<T*, 2> m{};
    for (std::size_t i = 0; i < moments_.size(); ++i) m[i] = moments_[i].template as<T>();
#pragma omp parallel for schedule(static) if (worth_sharing(p.size()))
    for (std::int64_t b = 0; b < blocks; ++b) {
      const std::size_t at = static_cast<std::size_t>(b) * block, n = std::min(block, p.size() - at);
      update(p.data() + at, g.data() + at, {m[0] ? m[0] + at : nullptr, m[1] ? m[1] + at : nullptr}, n);
    }
  }

  AnyOptimizer rule_;
  std::vector<AlignedBuffer> moments_;
  std::vector<std::string> names_;
  std::int64_t steps_ = 0;
};

}  // namespace moecnn
