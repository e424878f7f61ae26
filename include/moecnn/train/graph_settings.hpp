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

inline std::string loss_text(const Graph& g, const ops::CrossEntropy& loss) {
  std::string text = formatted("weight {}, ignored label {}, class weights", loss.factor, loss.ignore);
  if (loss.class_weights < 0) return text + " all 1";
  for (double w : g.class_weights[static_cast<std::size_t>(loss.class_weights)]) text += formatted(" {}", w);
  return text;
}

}  // namespace detail

/// Settings of batch norms and dropout, weights of the losses, and router, balance loss and constraint of each mixture.
inline Settings graph_settings(const Graph& g) {
  Settings all;
  detail::PerLayer norm, dropout;
  int losses = 0;
  for (const Node& n : g.nodes) {
    if (const auto* b = std::get_if<ops::BatchNorm>(&n.op))
      norm.add(n.name, formatted("momentum {}, eps {}{}", b->momentum, b->eps, b->frozen ? ", frozen" : ""));
    if (std::holds_alternative<ops::Dropout>(n.op)) dropout.add(n.name, op_name(n.op));
    if (const auto* l = std::get_if<ops::CrossEntropy>(&n.op)) {
      ++losses;
      all.emplace_back(losses == 1 ? std::string("loss") : formatted("loss {}", losses), detail::loss_text(g, *l));
    }
  }
  if (!norm.empty()) all.emplace_back("batch norm", norm.text());
  if (!dropout.empty()) all.emplace_back("dropout", dropout.text());
  for (const RoutingSpec& r : g.routings) {
    if (!r.policy) continue;
    for (auto& [name, text] : r.policy->settings()) all.emplace_back(r.name + " " + name, std::move(text));
  }
  return all;
}

}  // namespace moecnn
