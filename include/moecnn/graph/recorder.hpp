#pragma once
/// \file
/// The `g` that wire() talks to: turns calls into nodes, edges and named parameters.

#include "moecnn/core/value.hpp"
#include "moecnn/graph/graph.hpp"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

namespace moecnn {

/// Read as: the layer wants `Wants` channels and the value has `Has`. When a connection is wrong, the compiler prints
/// this line with both numbers.
template <int Wants, int Has>
concept ChannelsMatch = (Wants == Has);

namespace detail {
template <class V>
inline constexpr int channels_of = -1;
template <int C>
inline constexpr int channels_of<Value<C>> = C;

/// A layer fits a value when it declares no fixed input, or the same number of channels.
template <class L, class V>
inline constexpr bool has_fixed_input = requires { L::in; } && channels_of<V> >= 0;
}  // namespace detail

/// Records the graph of one network. `g("conv1", Conv<3, 64>{…}, image)` opens the scope "conv1", lets the layer wire
/// itself there and returns what the layer returned. Using one name twice shares its parameters.
class Recorder {
 public:
  explicit Recorder(Graph& graph) : graph_(graph) {}

  template <class L, class V, class... Rest>
    requires(!detail::has_fixed_input<L, V>)
  auto operator()(std::string_view name, const L& layer, V x, Rest... rest) {
    return scoped(name, layer, x, rest...);
  }

  // (`Wants` is a parameter so that compilers print its number and not `L::in`.)
  template <class L, int C, int Wants = L::in, class... Rest>
    requires(detail::has_fixed_input<L, Value<C>>) && ChannelsMatch<Wants, C>
  auto operator()(std::string_view name, const L& layer, Value<C> x, Rest... rest) {
    return scoped(name, layer, x, rest...);
  }

  // Verbs without parameters.

  template <int C>
  Value<C> relu(Value<C> x) {
    return {record(ops::Relu{}, {x.edge}, channels(x), extent(x))};
  }

  template <int C>
  Value<C> add(Value<C> a, Value<C> b) {
    const Extent ea = extent(a), eb = extent(b);
    check(ea == eb, "{}: cannot add a map of {}x{}x{} to one of {}x{}x{} (rows, height, width)", path(), ea.n, ea.h,
          ea.w, eb.n, eb.h, eb.w);
    check(graph_.edges[a.edge].routing == graph_.edges[b.edge].routing,
          "{}: cannot add rows of the batch to rows grouped by expert; combine them first", path());
    return {record(ops::Add{}, {a.edge, b.edge}, channels(a), ea)};
  }

  /// Means over pixels. Asking twice for the same map gives the same node: gates and their noise share one.
  template <int C>
  Value<C> global_avg_pool(Value<C> x) {
    for (const Node& n : graph_.nodes)
      if (std::holds_alternative<ops::GlobalAvgPool>(n.op) && n.inputs[0] == x.edge) return {n.output};
    return {record(ops::GlobalAvgPool{}, {x.edge}, channels(x), {extent(x).n, 1, 1})};
  }

  template <int C>
  Value<C> max_pool(Value<C> x, ops::MaxPool window) {
    check(2 * window.pad.h <= window.kernel.h && 2 * window.pad.w <= window.kernel.w,
          "{}: max-pooling windows of {}x{} with padding {}x{} may hold no pixel; pad by at most half a window", path(),
          window.kernel.h, window.kernel.w, window.pad.h, window.pad.w);
    return {record(window, {x.edge}, channels(x), window.output(extent(x)))};
  }

  // The mixture's verbs; moe/moe.hpp puts them together.

  /// Decides which experts serve which rows. `noise` may be an empty handle (edge -1).
  template <int N>
  Routed<N> route(std::shared_ptr<const RoutePolicy> policy, Scores<N> scores, Scores<N> noise = {}) {
    return {record_route(std::move(policy), scores.edge, noise.edge)};
  }

  /// Copies each row to the slots of the experts that serve it, grouped by expert.
  template <int C, int N>
  Value<C> gather(Value<C> x, Routed<N> r) {
    return {record_gather(x.edge, r.id)};
  }

  /// Σ over a row's slots of weight · value: back from slots to rows.
  template <int C, int N>
  Value<C> combine(Value<C> slots, Routed<N> r) {
    return {record_combine(slots.edge, r.id)};
  }

  /// Wires the expert once; its parameters exist once per expert, under `name.0`, `name.1`, …
  template <class E, int C, int N>
  auto experts(std::string_view name, const E& expert, Value<C> slots, Routed<N> r) {
    begin_experts(name, r.id);
    auto y = expert.wire(*this, slots);
    end_experts();
    return y;
  }

  // For layers: what they need to record themselves.

  template <int C>
  Extent extent(Value<C> x) const {
    return graph_.edges[x.edge].extent;
  }

  /// C, or the real number where C is `dynamic`.
  template <int C>
  int channels(Value<C> x) const {
    return graph_.edges[x.edge].channels;
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
    if (expert_routing_ >= 0) node.routing = routing = expert_routing_, node.copies = copies();
    check(expert_routing_ >= 0 || routing < 0 || node.params.empty(),
          "{}: a layer with parameters between gather and combine would see the rows of all experts mixed up; wire it "
          "inside experts()",
          node.name);
    graph_.edges.push_back({extent, channels, routing, static_cast<int>(graph_.nodes.size()), node.name});
    graph_.nodes.push_back(std::move(node));
    return static_cast<int>(graph_.edges.size()) - 1;
  }

  /// A parameter `leaf` of the current scope (inside experts: one per expert); returns the id of the first. A second
  /// request for the same name returns the same parameter.
  int param(std::string_view leaf, std::vector<int> shape, Init init, int fan_in = 0) {
    return declare(leaf, std::move(shape), init, fan_in, true);
  }
  /// A buffer: stored and saved like a parameter, but not trained.
  int buffer(std::string_view leaf, std::vector<int> shape, Init init) {
    return declare(leaf, std::move(shape), init, 0, false);
  }

  /// Opens a scope for as long as the returned object lives.
  class Scope {
   public:
    Scope(Recorder& g, std::string_view name) : g_(g) { g_.scopes_.emplace_back(name); }
    ~Scope() { g_.scopes_.pop_back(); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Recorder& g_;
  };
  Scope scope(std::string_view name) { return Scope(*this, name); }

  /// Names joined by dots, e.g. "layer4.experts.0.conv1".
  std::string path() const { return path_of_copy(0); }

  Graph& graph() { return graph_; }
  const Graph& graph() const { return graph_; }

 private:
  template <class L, class... In>
  auto scoped(std::string_view name, const L& layer, In... in) {
    const Scope scope(*this, name);
    auto result = layer.wire(*this, in...);
    // The result carries the layer's name, so that Model::value("layer3") finds it.
    if constexpr (requires { result.edge; })
      if (result.edge >= 0) graph_.edges[result.edge].name = path();
    return result;
  }

  struct Declared {
    int id, copies;
  };

  int copies() const { return graph_.routings[expert_routing_].experts; }

  std::string path_of_copy(int e) const {
    std::string text;
    for (std::size_t i = 0; i < scopes_.size(); ++i) {
      if (!text.empty()) text += '.';
      text += scopes_[i];
      if (expert_routing_ >= 0 && i + 1 == expert_depth_) text += '.' + std::to_string(e);
    }
    return text;
  }

  std::string name_in_copy(int e, std::string_view leaf) const {
    const std::string path = path_of_copy(e);
    return path.empty() ? std::string(leaf) : path + '.' + std::string(leaf);
  }

  int declare(std::string_view leaf, std::vector<int> shape, Init init, int fan_in, bool trained) {
    const int n = expert_routing_ >= 0 ? copies() : 1;
    const std::string first = name_in_copy(0, leaf);
    if (const auto known = ids_.find(first); known != ids_.end()) {
      check(graph_.params[known->second.id].shape == shape && known->second.copies == n,
            "parameter {} is used twice with different shapes; give the second layer another name", first);
      return known->second.id;
    }
    const int id = static_cast<int>(graph_.params.size());
    ids_.emplace(first, Declared{id, n});
    for (int e = 0; e < n; ++e) graph_.params.push_back({name_in_copy(e, leaf), shape, init, fan_in, trained});
    return id;
  }

  int record_route(std::shared_ptr<const RoutePolicy> policy, int scores, int noise) {
    check(expert_routing_ < 0, "{}: a mixture inside an expert is not supported; place it outside", path());
    const Extent rows = graph_.edges[scores].extent;
    const int experts = policy->experts(), k = policy->k();
    check(graph_.edges[scores].channels == experts, "{}: the gate scores {} experts, the router has {}", path(),
          graph_.edges[scores].channels, experts);
    RoutingSpec spec{routing_name(), static_cast<int>(graph_.nodes.size()), rows.n, experts, k};
    declare_state(*policy, spec);
    spec.policy = std::move(policy);
    std::vector<int> inputs{scores};
    if (noise >= 0) inputs.push_back(noise);
    const int id = static_cast<int>(graph_.routings.size());
    graph_.routings.push_back(std::move(spec));
    record(ops::Route{}, std::move(inputs), experts, {rows.n, 1, 1});
    graph_.nodes.back().routing = id;
    return id;
  }

  /// The scope's name; a mixture wired twice under one name routes twice, with noise of its own: "layer4", "layer4#2".
  std::string routing_name() const {
    const auto taken = [&](const std::string& name) {
      return std::any_of(graph_.routings.begin(), graph_.routings.end(), [&](const auto& r) { return r.name == name; });
    };
    std::string name = path();
    for (int use = 2; taken(name); ++use) name = path() + '#' + std::to_string(use);
    return name;
  }

  /// The constraint's state, under the gate's name; shared by name as parameters are.
  void declare_state(const RoutePolicy& policy, RoutingSpec& spec) {
    for (const StateSpec& s : policy.state()) {
      const StateSpec wanted{path() + ".gate." + s.name, s.size};
      auto at = std::find_if(graph_.states.begin(), graph_.states.end(),
                             [&](const StateSpec& known) { return known.name == wanted.name; });
      if (at == graph_.states.end()) at = graph_.states.insert(at, wanted);
      check(at->size == wanted.size,
            "the state {} is used twice with different sizes; give the second layer another name", wanted.name);
      if (spec.state_id < 0) spec.state_id = static_cast<int>(at - graph_.states.begin());
      spec.state_size += s.size;
    }
  }

  int record_gather(int x, int id) {
    const RoutingSpec& r = graph_.routings[id];
    const Edge in = graph_.edges[x];
    check(in.routing < 0, "{}: these rows are grouped by expert already; combine them first", path());
    check(in.extent.n == r.rows, "{}: {} rows cannot be gathered by a routing of {} rows", path(), in.extent.n, r.rows);
    const int e = record(ops::Gather{}, {x}, in.channels, {r.rows * r.k, in.extent.h, in.extent.w});
    graph_.edges[e].routing = graph_.nodes.back().routing = id;
    return e;
  }

  int record_combine(int slots, int id) {
    const Edge in = graph_.edges[slots];
    check(in.routing == id, "{}: combine needs the slots of its own routing", path());
    for (const Node& n : graph_.nodes)  // the slopes of the weights have one writer
      check(!std::holds_alternative<ops::Combine>(n.op) || n.routing != id, "{}: a routing can be combined once",
            path());
    const int e = record(ops::Combine{}, {slots}, in.channels, {graph_.routings[id].rows, in.extent.h, in.extent.w});
    graph_.edges[e].routing = -1;
    graph_.nodes.back().routing = id;
    return e;
  }

  void begin_experts(std::string_view name, int routing) {
    check(expert_routing_ < 0, "{}: experts inside experts are not supported", path());
    scopes_.emplace_back(name);
    expert_routing_ = routing;
    expert_depth_ = scopes_.size();
  }
  void end_experts() {
    expert_routing_ = -1;
    scopes_.pop_back();
  }

  Graph& graph_;
  std::vector<std::string> scopes_;
  std::map<std::string, Declared> ids_;  // by the name of the first copy
  int expert_routing_ = -1;
  std::size_t expert_depth_ = 0;
};

/// Records `net` for images of the given extent.
template <class Net>
Graph record(const Net& net, Extent images) {
  constexpr int channels = Net::in;
  check(images.n > 0 && images.h > 0 && images.w > 0,
        "a batch of {} images of {}x{} pixels is empty; every size must be at least 1", images.n, images.h, images.w);
  Graph graph;
  Recorder g(graph);
  const Value<channels> image{g.record(ops::Input{}, {}, channels, images)};
  graph.input = image.edge;
  graph.outputs = {net.wire(g, image).edge};
  return graph;
}

}  // namespace moecnn
