#pragma once
namespace moecnn::ops {

/// The images of the batch; written by the program's caller.
struct Input {};

/// max(x, 0); the slope at 0 is 0.
struct Relu {};

/// x + y, same shape.
struct Add {};

/// The same logits for every row: the fixed and the equal-weight gates of the analysis. Input: any [n, …], of which only
/// the row count matters. Output: [n, N], zeros.
struct ConstantScores {
  int expert = -1;  ///< ≥ 0: the only one; the others have logits of minus infinity
};

}  // namespace moecnn::ops
