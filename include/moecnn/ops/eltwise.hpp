#pragma once
#include <cstdint>

namespace moecnn::ops {

/// The images of the batch; written by the program's caller.
struct Input {};

/// max(x, 0); the slope at 0 is 0.
struct Relu {};

/// x + y, same shape.
struct Add {};

/// x - y, same shape.
struct Subtract {};

/// x · y, same shape. Both may be one edge: a square.
struct Multiply {};

/// factor · x.
struct Times {
  double factor = 1;
};

/// The same numbers in the type of the output's edge.
struct Cast {};

enum class Curve : unsigned char {
  sigmoid,       ///< 1 / (1 + exp(-x))
  hard_sigmoid,  ///< min(max(x + 3, 0), 6) / 6; slope 0 at -3 and 3
  hard_swish     ///< x · hard_sigmoid(x); slope 0 at -3 and 1 at 3
};

/// A curve, element by element.
struct Activation {
  Curve curve = Curve::sigmoid;
};

/// x where x > 0, a · x elsewhere (He et al., 2015). Parameter: weight [1] or [C], the a of all or of each channel.
struct PRelu {
  int weights = 1;
};

/// Sets elements, or with `spatial` whole channels of a row, to zero with probability p and multiplies the others by
/// 1 / (1 - p) (Srivastava et al., 2014). Only in training, and not where the step's context switches noise off. The
/// mask is DropoutMask of the step; element i is the i-th in plain order [n, C, h, w], or [n, C] with `spatial`.
struct Dropout {
  double p = 0.5;
  bool spatial = false;
  std::uint64_t stream = 0;  ///< hash of the name; set by the recorder
};

/// The same logits for every row: the fixed and the equal-weight gates of the analysis. Input: any [n, …], of which only
/// the row count matters. Output: [n, N], zeros.
struct ConstantScores {
  int expert = -1;  ///< ≥ 0: the only one; the others have logits of minus infinity
};

/// Normal random logits, new ones in every step, in evaluation too: the random gate. They are so small that a softmax
/// gives all of them the same weight, to the last bit of a double: they say who is chosen, and nothing else. Input: any
/// [n, …], of which only the row count matters. Output: [n, N]; row r and expert e have the number r · N + e of the stream
/// (seed, random_gate, stream + step), times `scale`. Carries no gradient.
struct RandomScores {
  static constexpr double scale = 0x1p-80;  // a float has it, too
  std::uint64_t stream = 0;                 ///< hash of the name; set by the recorder
};

}  // namespace moecnn::ops
