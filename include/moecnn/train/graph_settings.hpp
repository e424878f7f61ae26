#pragma once
/// \file
/// Settings of a recorded network that no parameter shows, as text: a run that goes on must have the same.

#include <algorithm>

#include "moecnn/core/plural.hpp"
#include "moecnn/graph/graph.hpp"
#include "moecnn/model/op_name.hpp"
#include "moecnn/train/settings.hpp"

namespace moecnn {

namespace detail {

/// One text per layer, shown as that of most layers and the others by name.
class PerLayer {
 public:
  void add(const std::string& layer, std::string text) {
    for (auto& [known, layers] : groups_)
      if (known == text) return layers.push_back(layer);
    groups_.push_back({std::move(text), {layer}});
  }
  bool empty() const { return groups_.empty(); }
  std::string text() const {
    const auto most = std::max_element(groups_.begin(), groups_.end(),
                                       [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
    std::string all = most->first;
    for (auto g = groups_.begin(); g != groups_.end(); ++g) {
      if (g == most) continue;
      all += "; but " + g->first + " in";
      for (std::size_t i = 0; i < g->second.size(); ++i) all += (i ? ", " : " ") + g->second[i];
    }
    return all;
  }

 private:
  std::vector<std::pair<std::string, std::vector<std::string>>> groups_;
};

inline std::string class_weights_text(const Graph& g, int id) {
  if (id < 0) return "all 1";
  std::string text;
  for (double w : g.class_weights[static_cast<std::size_t>(id)]) text += formatted("{}{}", text.empty() ? "" : " ", w);
  return text;
}
/// The settings of a loss; a loss that is not here does not compile.
struct LossText {
  const Graph& g;

  std::string operator()(const ops::CrossEntropy& loss) const {
    std::string text = formatted("weight {}, ignored label {}, class weights {}", loss.factor, loss.ignore,
                                 class_weights_text(g, loss.class_weights));
    if (loss.smoothing > 0) text += formatted(", label smoothing {}", loss.smoothing);
    return text;
  }
  std::string operator()(const ops::BinaryCrossEntropy& loss) const {
    return formatted("binary cross-entropy, weight {}, class weights {}", loss.factor,
                     class_weights_text(g, loss.class_weights));
  }
  std::string operator()(const ops::FocalLoss& loss) const {
    return formatted(
        "focal loss, weight {}, alpha {}, gamma {}, {}", loss.factor, loss.alpha, loss.gamma,
        loss.clamp > 0 ? formatted("probabilities from {} on", loss.clamp) : "probabilities without bounds");
  }
  std::string operator()(const ops::BoxLoss& loss) const {
    return formatted("box loss, weight {}, corner {:.6g}, divided by {} per anchor", loss.factor, loss.corner,
                     loss.divisor);
  }
  std::string operator()(const ops::Custom&) const { return "an operation of the program's own"; }
  template <class O>
  std::string operator()(const O&) const {
    static_assert(!O::traits.is_loss, "tell the settings of this loss in graph_settings.hpp");
    return {};
  }
};

}  // namespace detail

/// Settings of batch norms, dropout and operations of the user's own, weights of the losses, and router, balance loss and constraint of each mixture.
inline Settings graph_settings(const Graph& g) {
  Settings all;
  detail::PerLayer norm, dropout;
  std::vector<std::pair<std::string, std::string>> own;  // operation, layers
  int losses = 0;
  for (const Node& n : g.nodes) {
    if (const auto* b = std::get_if<ops::BatchNorm>(&n.op))
      norm.add(n.name, formatted("momentum {}, eps {}{}", b->momentum, b->eps, b->frozen ? ", frozen" : ""));
    if (std::holds_alternative<ops::Dropout>(n.op)) dropout.add(n.name, op_name(n.op));
    if (std::holds_alternative<ops::Custom>(n.op)) {
      const std::string what = op_name(g, n);
      const auto known = std::find_if(own.begin(), own.end(), [&](const auto& o) { return o.first == what; });
      if (known == own.end())
        own.emplace_back(what, n.name);
      else
        known->second += ", " + n.name;
    }
    if (is_loss(n.op)) {
      ++losses;
      all.emplace_back(losses == 1 ? std::string("loss") : formatted("loss {}", losses),
                       dispatch(n.op, detail::LossText{g}));
    }
  }
  if (!norm.empty()) all.emplace_back("batch norm", norm.text());
  if (!dropout.empty()) all.emplace_back("dropout", dropout.text());
  for (auto& [what, layers] : own) all.emplace_back("operation " + what, "in " + layers);
  for (const RoutingSpec& r : g.routings) {
    if (!r.policy) continue;
    for (auto& [name, text] : r.policy->settings()) all.emplace_back(r.name + " " + name, std::move(text));
  }
  return all;
}

}  // namespace moecnn
