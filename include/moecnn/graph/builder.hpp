#pragma once
/// \file
/// Recording of layers: nodes, named parameters, scopes.

#include "moecnn/core/value.hpp"
#include "moecnn/graph/graph.hpp"

#include <map>
#include <string_view>
#include <utility>

namespace moecnn {

/// The part of the Recorder that knows no operation.
class Builder {
 public:
  explicit Builder(Graph& graph) : graph_(graph) {}

  template <int C>
  Extent extent(Value<C> x) const {
    return graph_.edges[x.edge].extent;
  }

  /// C, or the number of channels at run time where C is `dynamic`.
  template <int C>
  int channels(Value<C> x) const {
    return graph_.edges[x.edge].channels;
  }

  /// Height and width.
  template <int C>
  Size2 size(Value<C> x) const {
    return {extent(x).h, extent(x).w};
  }

  /// Appends a node in the current scope and returns its output edge.
  int record(Op op, std::vector<int> inputs, int channels, Extent extent, std::vector<int> params = {}) {
    Node node;
    node.op = std::move(op);
    node.inputs = std::move(inputs);
    node.output = static_cast<int>(graph_.edges.size());
    node.params = std::move(params);
    node.name = path();
    int routing = node.inputs.empty() ? -1 : graph_.edges[node.inputs[0]].routing;
    if (expert_routing_ >= 0) node.routing = routing = expert_routing_, node.experts = experts(), node.expert = expert_;
    check(expert_routing_ >= 0 || routing < 0 || node.params.empty(),
          "{}: a layer with parameters between gather and combine would see the rows of all experts mixed up; wire it "
          "inside experts()",
          node.name);
    graph_.edges.push_back({extent, channels, routing, static_cast<int>(graph_.nodes.size()), node.name});
    graph_.edges.back().expert = node.expert;
    graph_.nodes.push_back(std::move(node));
    return static_cast<int>(graph_.edges.size()) - 1;
  }

  /// A parameter `leaf` of the current scope (inside experts: one per expert); returns the id of the first. A second
  /// request for the same name returns the same parameter. `scale`: factor on what `init` draws.
  int param(std::string_view leaf, std::vector<int> shape, Init init, int fan_in = 0, double scale = 1) {
    return declare(leaf, std::move(shape), init, fan_in, true, scale);
  }
  /// A buffer: stored and saved like a parameter, but not trained.
  int buffer(std::string_view leaf, std::vector<int> shape, Init init) {
    return declare(leaf, std::move(shape), init, 0, false);
  }

  /// Opens a scope for as long as the returned object lives.
  class Scope {
   public:
    Scope(Builder& g, std::string_view name) : g_(g) { g_.scopes_.emplace_back(name); }
    ~Scope() { g_.scopes_.pop_back(); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Builder& g_;
  };
  Scope scope(std::string_view name) { return Scope(*this, name); }

  /// As long as the returned object lives, mixtures are recorded into one balance group: each routes by itself, and one
  /// balance loss counts the rows of all. A constraint goes on mixture by mixture: each is judged by those before it.
  /// For a head that is wired on several levels, whose levels need not be balanced one by one. The mixtures have equal
  /// policies and share their gate's name.
  class BalanceGroup {
   public:
    explicit BalanceGroup(Builder& g) : g_(g) {
      check(g_.group_ < 0, "{}: a balance group inside a balance group; end the first one before", g_.place());
      for (const RoutingSpec& r : g_.graph_.routings) g_.group_ = std::max(g_.group_, r.group);
      ++g_.group_;
    }
    ~BalanceGroup() { g_.group_ = -1; }
    BalanceGroup(const BalanceGroup&) = delete;
    BalanceGroup& operator=(const BalanceGroup&) = delete;

   private:
    Builder& g_;
  };
  BalanceGroup balance_together() { return BalanceGroup(*this); }

  /// Names joined by dots, e.g. "layer4.experts.0.conv1".
  std::string path() const { return path_of_copy(0); }
  /// The same for messages, where wire() of the network itself needs a name, too.
  std::string place() const { return scopes_.empty() ? "the network" : path(); }

  Graph& graph() { return graph_; }
  const Graph& graph() const { return graph_; }

 protected:
  struct Declared {
    int id, experts;
  };

  int experts() const { return expert_ < 0 ? graph_.routings[expert_routing_].experts : 1; }

  std::string path_of_copy(int e) const {
    std::string text;
    for (std::size_t i = 0; i < scopes_.size(); ++i) {
      if (!text.empty()) text += '.';
      text += scopes_[i];
      if (expert_routing_ >= 0 && i + 1 == expert_depth_) text += '.' + std::to_string(expert_ < 0 ? e : expert_);
    }
    return text;
  }

  std::string name_in_copy(int e, std::string_view leaf) const {
    const std::string path = path_of_copy(e);
    return path.empty() ? std::string(leaf) : path + '.' + std::string(leaf);
  }

  int declare(std::string_view leaf, std::vector<int> shape, Init init, int fan_in, bool trained, double scale = 1) {
    const int n = expert_routing_ >= 0 ? experts() : 1;
    const std::string first = name_in_copy(0, leaf);
    if (const auto known = ids_.find(first); known != ids_.end()) {
      check(graph_.params[known->second.id].shape == shape && known->second.experts == n,
            "parameter {} is used twice with different shapes; give the second layer another name", first);
      return known->second.id;
    }
    const int id = static_cast<int>(graph_.params.size());
    ids_.emplace(first, Declared{id, n});
    for (int e = 0; e < n; ++e) {
      graph_.params.push_back({name_in_copy(e, leaf), shape, init, fan_in, trained});
      graph_.params.back().scale = scale;
    }
    return id;
  }

  Graph& graph_;
  std::vector<std::string> scopes_;
  std::map<std::string, Declared> ids_;    // by the name of the first copy
  int expert_routing_ = -1, expert_ = -1;  // expert_ ≥ 0: that one alone is being wired
  int group_ = -1;                         // balance group of the routings that are recorded
  std::size_t expert_depth_ = 0;
};

}  // namespace moecnn
