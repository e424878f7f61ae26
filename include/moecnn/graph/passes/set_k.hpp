#pragma once
#include "moecnn/graph/graph.hpp"

namespace moecnn {

/// Instead of a k: all experts of each mixture, however many it has.
inline constexpr int every_expert = -1;

namespace passes {

/// Gives every router another number of active experts, or `every_expert`; buffers of slots change with it. For a graph
/// as recorded.
inline void set_k(Graph& g, int k) {
  for (RoutingSpec& r : g.routings) {
    const int now = k == every_expert ? r.experts : k;
    check(now >= 1 && now <= r.experts, "{}: k = {} is not possible with {} experts; choose 1 to {}, or every_expert",
          r.name, k, r.experts, r.experts);
    r.k = now;
  }
  for (Edge& e : g.edges)
    if (e.routing >= 0 && e.expert < 0) e.extent.n = g.routings[e.routing].rows * g.routings[e.routing].k;
}

}  // namespace passes
}  // namespace moecnn
