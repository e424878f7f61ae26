#pragma once
/// \file
/// Typed handles to edges of the graph. A handle carries only its channel count in its type, so a wrong connection is
/// one short compile error and no type grows with the depth of a network.

namespace moecnn {

/// A feature map [rows, C, height, width] (or [rows, C] where height = width = 1).
template <int C>
struct Value {
  static constexpr int channels = C;
  int edge = -1;
};

/// Where in a map the largest value of each pooling window stood; the result of max_pool_indices() and an input of
/// max_unpool().
template <int C>
struct Indices {
  static constexpr int channels = C;
  int edge = -1;
};

/// The logits of a gate for every row: [rows, N].
template <int N>
struct Logits {
  static constexpr int experts = N;
  int edge = -1;
};

/// The decision that a router made from scores: which experts serve which rows.
template <int N>
struct Routed {
  static constexpr int experts = N;
  int id = -1;
};

}  // namespace moecnn
