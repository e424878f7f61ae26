#pragma once
/// \file
/// Memory planning: every tensor of a program gets a lifetime and a place in one arena, so that no step allocates.

#include "moecnn/graph/kernel.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>

namespace moecnn {

/// Steps from `first` to `last`; none at first.
struct Lifetime {
  int first = std::numeric_limits<int>::max();
  int last = -1;

  void touch(int step) { first = std::min(first, step), last = std::max(last, step); }
  void touch(const Lifetime& t) { first = std::min(first, t.first), last = std::max(last, t.last); }
  bool empty() const { return last < first; }
  bool meets(const Lifetime& t) const { return first <= t.last && t.first <= last; }
};

/// One stretch of memory with a lifetime in steps: node i runs forward at step i and backward at step 2n - 1 - i. A
/// value that is made again for the backward pass has a life before and one after; in between its memory is free for
/// others.
struct Buffer {
  std::size_t bytes = 0;
  Lifetime life = {}, second_life = {};
  std::size_t offset = 0;

  bool used() const { return !life.empty() && bytes > 0; }
  bool lives_with(const Buffer& b) const {
    return life.meets(b.life) || life.meets(b.second_life) || second_life.meets(b.life) ||
           second_life.meets(b.second_life);
  }
};

/// Which outputs are made again for the backward pass instead of being kept for it, if their kernels can make them from
/// values that are kept anyway: a batch norm keeps its input, so its output need not be kept for the convolution behind
/// it.
enum class Rebuild : unsigned char {
  never,
  where_cheap,  ///< where that takes next to no time beside what reads them
  always        ///< the least memory; networks of thin layers train a fifth slower
};

/// Which buffer holds what; -1 where there is none.
struct Plan {
  std::vector<Buffer> buffers;
  std::vector<int> value, grad;             ///< per edge
  std::vector<std::vector<int>> saved;      ///< per node
  std::vector<std::array<int, 2>> scratch;  ///< per node: forward, backward
  std::vector<std::vector<int>> rebuilds;   ///< per node: whose outputs are made again before it runs backward
  std::size_t arena_bytes = 0;
  std::size_t total_bytes = 0;  ///< the sum of separate allocations
};

namespace detail {

inline constexpr std::size_t arena_alignment = 64;

/// Per edge: whether a convolution that reads it in its backward pass multiplies each element so often that the cost of
/// making the edge again, one pass through memory, is negligible.
inline std::vector<char> cheap_to_rebuild(const Graph& g, const std::vector<NodeNeeds>& needs) {
  constexpr long long often = 256;  // a 1×1 convolution to 256 channels, a 3×3 convolution to 29
  std::vector<char> cheap(g.edges.size(), 0);
  for (std::size_t n = 0; n < g.nodes.size(); ++n)
    for (std::size_t i = 0; i < g.nodes[n].inputs.size(); ++i) {
      const Edge& e = g.edges[g.nodes[n].inputs[i]];
      if (needs[n].keeps_input[i] && macs_per_row(g, g.nodes[n]) >= often * e.channels * e.extent.pixels())
        cheap[g.nodes[n].inputs[i]] = 1;
    }
  return cheap;
}

/// Places buffers by decreasing size at the lowest address that is free for their whole lifetime.
inline void pack(Plan& plan) {
  std::vector<int> order;
  for (int i = 0; i < static_cast<int>(plan.buffers.size()); ++i)
    if (plan.buffers[i].used()) order.push_back(i);
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return plan.buffers[a].bytes > plan.buffers[b].bytes; });
  std::vector<int> placed;  // sorted by offset
  for (int i : order) {
    Buffer& b = plan.buffers[i];
    b.bytes = (b.bytes + arena_alignment - 1) / arena_alignment * arena_alignment;
    plan.total_bytes += b.bytes;
    // Best fit: the smallest gap between living neighbours that takes it, else the end.
    std::size_t at = 0, best_gap = std::numeric_limits<std::size_t>::max(), best = 0, end = 0;
    bool found = false;
    for (int j : placed) {
      const Buffer& o = plan.buffers[j];
      if (!o.lives_with(b)) continue;
      if (o.offset > end && o.offset - end >= b.bytes && o.offset - end < best_gap)
        found = true, best_gap = o.offset - end, best = end;
      end = std::max(end, o.offset + o.bytes);
    }
    at = found ? best : end;
    b.offset = at;
    placed.insert(std::upper_bound(placed.begin(), placed.end(), i,
                                   [&](int x, int y) { return plan.buffers[x].offset < plan.buffers[y].offset; }),
                  i);
    plan.arena_bytes = std::max(plan.arena_bytes, at + b.bytes);
  }
}

}  // namespace detail

/// Plans the memory of a program. `needs` is per node; `value_bytes` and `grad_bytes` are per edge; edges in `keep`
/// (besides the graph's outputs) stay readable after the run.
inline Plan make_plan(const Graph& g, const Flow& flow, const std::vector<NodeNeeds>& needs,
                      const std::vector<std::size_t>& value_bytes, const std::vector<std::size_t>& grad_bytes,
                      const std::vector<int>& keep = {}, Rebuild rebuild = Rebuild::where_cheap) {
  const int nodes = static_cast<int>(g.nodes.size());
  const int end = 2 * nodes;
  auto backward = [&](int n) { return 2 * nodes - 1 - n; };

  Plan p;
  p.value.assign(g.edges.size(), -1);
  p.grad.assign(g.edges.size(), -1);
  p.saved.resize(nodes);
  p.scratch.assign(nodes, {-1, -1});
  p.rebuilds.resize(nodes);
  auto make = [&](std::size_t bytes) {
    p.buffers.push_back({bytes});
    return static_cast<int>(p.buffers.size()) - 1;
  };

  // Lifetimes of values and gradients, edge by edge; of values apart for the backward pass.
  std::vector<Lifetime> value(g.edges.size()), again(g.edges.size()), grad(g.edges.size());
  for (int n = 0; n < nodes; ++n) {
    const Node& node = g.nodes[n];
    value[node.output].touch(n);
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const int e = node.inputs[i];
      value[e].touch(n);
      if (flow.runs_backward[n] && needs[n].keeps_input[i]) again[e].touch(backward(n));
      if (flow.input_mode[n][i] != GradMode::ignore) grad[e].touch(backward(n));
    }
    if (flow.runs_backward[n]) {
      if (needs[n].keeps_output) again[node.output].touch(backward(n));
      if (flow.edge_grad[node.output]) grad[node.output].touch(backward(n));
    }
  }
  // Images and targets are written before the first step; results and watched values are read after the last.
  value[g.input].touch(0);
  for (int e : g.targets()) value[e].touch(0);
  for (int e : g.outputs) value[e].touch(end);
  for (int e : keep) value[e].touch(end);
  if (flow.edge_grad[g.input]) grad[g.input].touch(end);
  // Seeds are written from outside before the backward pass starts.
  for (int e : flow.seeds) grad[e].touch(nodes);

  // Which outputs are made again, and when. Consumers come after their producer, so walking back meets all needs before
  // it.
  const std::vector<char> cheap = rebuild == Rebuild::where_cheap
                                      ? detail::cheap_to_rebuild(g, needs)
                                      : std::vector<char>(g.edges.size(), rebuild == Rebuild::always);
  std::vector<int> remade(nodes, -1);  // when
  for (int n = nodes; n-- > 0;) {
    const int e = g.nodes[n].output, when = again[e].first;
    const bool wanted = !again[e].empty() && when < backward(n);  // by another node than this one
    if (!cheap[e] || !wanted || !flow.runs_backward[n] || !needs[n].rebuilds_output || value[e].last == end) {
      value[e].touch(again[e]);
      again[e] = {};
      continue;
    }
    p.rebuilds[backward(when)].push_back(n);  // backward() is its own inverse
    remade[n] = when;
    for (std::size_t i = 0; i < g.nodes[n].inputs.size(); ++i)
      if (needs[n].keeps_input[i]) again[g.nodes[n].inputs[i]].touch(when);
  }
  for (auto& list : p.rebuilds) std::reverse(list.begin(), list.end());  // in running order: some read others

  // Values, with outputs that may take over the memory of an input which dies there.
  for (int n = 0; n < nodes; ++n) {
    const Node& node = g.nodes[n];
    const int out = node.output, i = needs[n].inplace_forward;
    if (i >= 0 && value_bytes[out] == value_bytes[node.inputs[i]] && value[node.inputs[i]].last == n &&
        again[node.inputs[i]].empty() && node.inputs[i] != g.input &&
        std::count(node.inputs.begin(), node.inputs.end(), node.inputs[i]) == 1) {
      p.value[out] = p.value[node.inputs[i]];
    } else {
      p.value[out] = make(value_bytes[out]);
    }
    p.buffers[p.value[out]].life.touch(value[out]);
    p.buffers[p.value[out]].second_life.touch(again[out]);
  }
  // Gradients, backwards, in the same way.
  for (int n = nodes; n-- > 0;) {
    const Node& node = g.nodes[n];
    if (!flow.runs_backward[n]) continue;
    if (flow.edge_grad[node.output] && p.grad[node.output] < 0) p.grad[node.output] = make(grad_bytes[node.output]);
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const int e = node.inputs[i];
      if (flow.input_mode[n][i] != GradMode::overwrite) continue;
      const bool take = static_cast<int>(i) == needs[n].inplace_backward && flow.edge_grad[node.output] &&
                        grad_bytes[e] == grad_bytes[node.output] &&
                        std::count(node.inputs.begin(), node.inputs.end(), e) == 1;
      p.grad[e] = take ? p.grad[node.output] : make(grad_bytes[e]);
    }
  }
  for (std::size_t e = 0; e < g.edges.size(); ++e)
    if (p.grad[e] >= 0) p.buffers[p.grad[e]].life.touch(grad[e]);

  for (int n = 0; n < nodes; ++n) {
    for (std::size_t bytes : needs[n].saved) {
      const int id = make(bytes);
      p.saved[n].push_back(id);
      p.buffers[id].life.touch(n);
      if (flow.runs_backward[n]) p.buffers[id].life.touch(backward(n));
    }
    if (needs[n].scratch_forward > 0) {
      Buffer& b = p.buffers[p.scratch[n][0] = make(needs[n].scratch_forward)];
      b.life.touch(n);
      if (remade[n] >= 0) b.second_life.touch(remade[n]);
    }
    if (flow.runs_backward[n] && needs[n].scratch_backward > 0)
      p.buffers[p.scratch[n][1] = make(needs[n].scratch_backward)].life.touch(backward(n));
  }
  detail::pack(p);
  return p;
}

}  // namespace moecnn
