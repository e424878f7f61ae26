#pragma once
#include "moecnn/graph/graph.hpp"

namespace moecnn::passes {

/// Gives every router another number of active experts; buffers of slots change with it. For a graph as recorded.
inline void set_k(Graph& g, int k) {
  for (RoutingSpec& r : g.routings) {
    check(k >= 1 && k <= r.experts, "{}: k = {} is not possible with {} experts; choose 1 to {}", r.name, k, r.experts,
          r.experts);
    r.k = k;
  }
  for (Edge& e : g.edges)
    if (e.routing >= 0) e.extent.n = g.routings[e.routing].rows * k;
}

}  // namespace moecnn::passes
