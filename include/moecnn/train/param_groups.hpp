#pragma once
/// \file
/// Parameters that are trained in other ways than the rest, chosen by their names.

#include "moecnn/core/glob.hpp"
#include "moecnn/model/param_store.hpp"

#include <optional>

namespace moecnn {

/// Parameters whose full names match a pattern, and how they are trained. In a pattern `*` stands for any characters, dots
/// included, and `?` for one: "layer1.*", "*.bias", "layer4.experts.0.*".
///
/// A parameter belongs to one group. Where several of a list match, that is the last one, so lists go from the general to
/// the special, and what the last one does not say is the optimiser's setting, not that of an earlier group.
struct ParamGroup {
  std::string pattern;
  double rate = 1;                          ///< factor of the schedule's learning rate
  std::optional<double> weight_decay = {};  ///< instead of the optimiser's
  /// Neither gradients, weight decay nor momentum change them, they do not count for clipping, and where all parameters
  /// of a layer are frozen, their gradients are not computed. Batch norms go on to measure their running statistics; for
  /// those see ModelOpts::frozen_norms.
  bool frozen = false;
};

/// "layer1.* frozen; *.bias rate 2, weight decay 0".
inline std::string text_of(const std::vector<ParamGroup>& groups) {
  std::string text;
  for (const ParamGroup& g : groups) {
    text += (text.empty() ? "" : "; ") + g.pattern + ' ';
    if (g.frozen) text += "frozen";
    if (!g.frozen) text += formatted("rate {}", g.rate);
    if (!g.frozen && g.weight_decay) text += formatted(", weight decay {}", *g.weight_decay);
  }
  return text;
}

/// A stretch of a store's parameters that are trained in one way. Those that are frozen belong to none.
struct ParamSpan {
  std::size_t offset = 0;  ///< bytes
  std::size_t elements = 0;
  double rate = 1;
  std::optional<double> weight_decay = {};
};

namespace detail {

/// For each parameter the group that it belongs to; null: none. Throws Error on a pattern that matches no parameter and on
/// settings that cannot be.
inline std::vector<const ParamGroup*> groups_of(const ParamStore& store, const std::vector<ParamGroup>& groups) {
  std::vector<const ParamGroup*> of(static_cast<std::size_t>(store.size()), nullptr);
  std::vector<std::string> names;
  for (int i = 0; i < store.size(); ++i)
    if (store.spec(i).trained) names.push_back(store.spec(i).name);
  for (const ParamGroup& g : groups) {
    check(g.rate >= 0 && std::isfinite(g.rate) && g.weight_decay.value_or(0) >= 0,
          "parameter group \"{}\": its rate is {} and its weight decay {}, expected 0 or more", g.pattern, g.rate,
          g.weight_decay.value_or(0));
    bool found = false;
    for (int i = 0; i < store.size(); ++i)
      if (store.spec(i).trained && glob_matches(g.pattern, store.spec(i).name)) of[i] = &g, found = true;
    check(found,
          "parameter group \"{}\" matches no parameter; names that come close: {} (* stands for any characters, ? for "
          "one)",
          g.pattern, closest_names(g.pattern, names));
  }
  return of;
}

}  // namespace detail

/// One entry for each parameter and buffer: whether its group is frozen. For AnyModel::freeze().
inline std::vector<char> frozen_by(const ParamStore& store, const std::vector<ParamGroup>& groups) {
  std::vector<char> frozen;
  for (const ParamGroup* g : detail::groups_of(store, groups)) frozen.push_back(g && g->frozen);
  return frozen;
}

/// The parameters that are not frozen, here or in the store, in as few stretches as there can be: one where all are
/// trained in one way. `decay_all` false: parameters of one dimension, which are biases, weights of norms and slopes, have
/// no weight decay, unless their group says one.
inline std::vector<ParamSpan> param_spans(const ParamStore& store, const std::vector<ParamGroup>& groups = {},
                                          bool decay_all = true) {
  std::vector<ParamSpan> spans;
  const auto of = detail::groups_of(store, groups);
  std::size_t end = 0;  // of the last parameter that belongs to a span
  for (int i = 0; i < store.size(); ++i) {
    const ParamSpec& p = store.spec(i);
    if (!p.learns() || (of[i] && of[i]->frozen)) continue;
    ParamSpan s{.offset = store.offset(i)};
    if (of[i]) s.rate = of[i]->rate, s.weight_decay = of[i]->weight_decay;
    if (!decay_all && p.shape.size() <= 1 && !s.weight_decay) s.weight_decay = 0;
    const std::size_t next = store.next_offset(i);
    if (spans.empty() || end != s.offset || spans.back().rate != s.rate || spans.back().weight_decay != s.weight_decay)
      spans.push_back(s);
    spans.back().elements += (next - s.offset) / size_of(store.dtype());
    end = next;
  }
  return spans;
}

}  // namespace moecnn
