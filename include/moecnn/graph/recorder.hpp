#pragma once
/// \file
/// The `g` that wire() talks to: turns calls into nodes, edges and named parameters.

#include "moecnn/graph/verbs.hpp"

#include <algorithm>
#include <tuple>

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
class Recorder : public Verbs {
 public:
  using Verbs::Verbs;

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

  /// Gives a value one more name, below the current scope, under which Program::read() finds it.
  template <int C>
  Value<C> named(std::string_view name, Value<C> x) {
    const Scope scope(*this, name);
    graph_.aliases.push_back({path(), x.edge, static_cast<int>(graph_.edges.size())});
    return x;
  }

  // The mixture's verbs; moe/moe.hpp puts them together.

  /// Decides which experts serve which rows. `noise` may be an empty handle (edge -1). `owner`: the scope that the
  /// constraint's statistics belong to; empty: the current one.
  template <int N>
  Routed<N> route(std::shared_ptr<const RoutePolicy> policy, Logits<N> logits, Logits<N> noise = {},
                  std::string_view owner = {}) {
    return {record_route(std::move(policy), logits.edge, noise.edge, owner)};
  }

  /// Copies each row to the slots of the experts that serve it, grouped by expert.
  template <int C, int N>
  Value<C> gather(Value<C> x, Routed<N> r) {
    return {record_gather(x.edge, r.id)};
  }

  /// Σ over a row's slots of weight · value: back from slots to rows.
  template <int C, int N>
  Value<C> combine(Value<C> slots, Routed<N> r) {
    return {record_combine({slots.edge}, r.id)};
  }

  /// Experts of several types, each for the rows of `x` that it serves; their parameters are under `name.0`, `name.1`, … All
  /// give `Out` channels and maps of one size.
  template <int Out, class... E, int C, int N>
  Value<Out> combine_experts(std::string_view name, const std::tuple<E...>& experts, Value<C> x, Routed<N> r) {
    check(graph_.routings[r.id].experts == sizeof...(E), "{}: {} experts are given, the router has {}", place(),
          sizeof...(E), graph_.routings[r.id].experts);
    std::vector<int> results;
    const auto wire = [&](const auto& expert) {
      begin_experts(name, r.id, static_cast<int>(results.size()));
      const Value<Out> y = expert.wire(*this, Value<C>{record_gather(x.edge, r.id)});
      end_experts();
      results.push_back(y.edge);
    };
    std::apply([&](const E&... e) { (wire(e), ...); }, experts);
    return {record_combine(results, r.id)};
  }

  /// Wires the expert once; its parameters exist once per expert, under `name.0`, `name.1`, …
  template <class E, int C, int N>
  auto experts(std::string_view name, const E& expert, Value<C> slots, Routed<N> r) {
    begin_experts(name, r.id);
    auto y = expert.wire(*this, slots);
    end_experts();
    return y;
  }

 private:
  template <class L, class... In>
  auto scoped(std::string_view name, const L& layer, In... in) {
    const Scope scope(*this, name);
    const auto before = static_cast<int>(graph_.edges.size());
    auto result = layer.wire(*this, in...);
    if constexpr (requires { result.edge; })
      if (result.edge >= 0) name_result(result.edge, before);
    return result;
  }

  /// The result of a layer carries the layer's name, so that Program::read("layer3") finds it. The name that it had goes
  /// on to find it. A value that was there before the layer keeps its name and gets the layer's besides.
  void name_result(int edge, int before) {
    const std::string name = path(), old = graph_.edges[edge].name;
    const auto also = [&](const std::string& alias) {
      if (graph_.find_edge(alias) != edge)
        graph_.aliases.push_back({alias, edge, static_cast<int>(graph_.edges.size())});
    };
    const bool known = !old.empty() && graph_.find_edge(old) == edge;
    if (edge >= before) graph_.edges[edge].name = name;
    if (known) also(old);
    also(name);
  }

  int record_route(std::shared_ptr<const RoutePolicy> policy, int logits, int noise, std::string_view owner) {
    check(expert_routing_ < 0, "{}: a mixture inside an expert is not supported; place it outside", place());
    const Extent rows = graph_.edges[logits].extent;
    const int experts = policy->experts(), k = policy->k();
    check(graph_.edges[logits].channels == experts, "{}: the gate scores {} experts, the router has {}", place(),
          graph_.edges[logits].channels, experts);
    check(noise >= 0 || !policy->wants_noise() || experts == 1,
          "{}: the router adds learned noise to the logits, and route() was given none; give it the gate's noise "
          "scales as its third argument, or choose a router with Noise::none",
          place());
    RoutingSpec spec{routing_name(), static_cast<int>(graph_.nodes.size()), rows.n, experts, k};
    declare_state(*policy, spec, owner.empty() ? path() : std::string(owner));
    spec.policy = std::move(policy);
    spec.group = group_;
    for (const RoutingSpec& r : graph_.routings)
      check(group_ < 0 || r.group != group_ || (r.state_id == spec.state_id && same_policy(r, spec)),
            "{}: it is balanced together with {}, but has another router, balance loss or constraint, or a gate of "
            "another name; give both the same ones, or wire it outside of the balance group",
            spec.name, r.name);
    std::vector<int> inputs{logits};
    if (noise >= 0) inputs.push_back(noise);
    const int id = static_cast<int>(graph_.routings.size());
    graph_.routings.push_back(std::move(spec));
    record(ops::Route{}, std::move(inputs), experts, {rows.n, 1, 1});
    graph_.nodes.back().routing = id;
    return id;
  }

  static bool same_policy(const RoutingSpec& a, const RoutingSpec& b) {
    return a.experts == b.experts && a.policy->settings() == b.policy->settings();
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
  void declare_state(const RoutePolicy& policy, RoutingSpec& spec, const std::string& owner) {
    for (const StateSpec& s : policy.state()) {
      const StateSpec wanted{owner + ".gate." + s.name, s.size};
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
    check(in.routing < 0, "{}: these rows are grouped by expert already; combine them first", place());
    check(in.extent.n == r.rows, "{}: {} rows cannot be gathered by a routing of {} rows", place(), in.extent.n,
          r.rows);
    const int rows = expert_ < 0 ? r.rows * r.k : r.rows;
    const int e = record(ops::Gather{}, {x}, in.channels, {rows, in.extent.h, in.extent.w});
    graph_.edges[e].routing = graph_.nodes.back().routing = id;
    return e;
  }

  /// `slots`: those of all experts, or one edge per expert.
  int record_combine(const std::vector<int>& slots, int id) {
    const Edge in = graph_.edges[slots[0]];
    for (int e : slots) {
      check(graph_.edges[e].routing == id, "{}: combine needs the slots of its own routing", place());
      check(graph_.edges[e].channels == in.channels && graph_.edges[e].extent == in.extent,
            "{}: the experts give maps of {}x{}x{} and {}x{}x{} (channels, height, width); all must give the same",
            place(), in.channels, in.extent.h, in.extent.w, graph_.edges[e].channels, graph_.edges[e].extent.h,
            graph_.edges[e].extent.w);
    }
    for (const Node& n : graph_.nodes)  // the slopes of the weights have one writer
      check(!std::holds_alternative<ops::Combine>(n.op) || n.routing != id,
            "{}: the slots of {} are combined already, in {}; a routing can be combined once, so join what its experts "
            "give before that (g.concat, g.add), or route the logits once more for the second value",
            place(), words(graph_.routings[id].name, "the network's routing"), words(n.name, "the network"));
    const int e = record(ops::Combine{}, slots, in.channels, {graph_.routings[id].rows, in.extent.h, in.extent.w});
    graph_.edges[e].routing = -1;
    graph_.nodes.back().routing = id;
    return e;
  }

  static std::string words(const std::string& name, const char* without) {
    return name.empty() ? without : '"' + name + '"';
  }

  void begin_experts(std::string_view name, int routing, int expert = -1) {
    check(expert_routing_ < 0, "{}: experts inside experts are not supported", place());
    scopes_.emplace_back(name);
    expert_routing_ = routing, expert_ = expert;
    expert_depth_ = scopes_.size();
  }
  void end_experts() {
    expert_routing_ = expert_ = -1;
    scopes_.pop_back();
  }
};

namespace detail {

/// Edges of what wire() has returned: one value, or a struct that lists several by edges().
template <class Result>
std::vector<int> edges_of(const Result& result) {
  if constexpr (requires { result.edges(); })
    return result.edges();
  else
    return {result.edge};
}

}  // namespace detail

/// Records `net` for images of the given extent. Its wire() returns a value, or where the network has several results a
/// struct whose edges() lists them.
template <class Net>
Graph record(const Net& net, Extent images) {
  constexpr int channels = Net::in;
  check(images.n > 0 && images.h > 0 && images.w > 0,
        "a batch of {} images of {}x{} pixels is empty; every size must be at least 1", images.n, images.h, images.w);
  Graph graph;
  Recorder g(graph);
  const Value<channels> image{g.record(ops::Input{}, {}, channels, images)};
  graph.input = image.edge;
  graph.outputs = detail::edges_of(net.wire(g, image));
  return graph;
}

}  // namespace moecnn
