#pragma once
#include "moecnn/ops/traits.hpp"

#include <cstdint>

namespace moecnn::ops {

/// The images of the batch, or a target of its losses; written by the program's caller.
struct Input {
  static constexpr Traits traits{.name = "images", .full_precision = true};
};

/// max(x, 0); the slope at 0 is 0.
struct Relu {
  static constexpr Traits traits{.name = "relu"};
};

/// x + y, same shape.
struct Add {
  static constexpr Traits traits{.name = "add"};
};

/// x - y, same shape.
struct Subtract {
  static constexpr Traits traits{.name = "subtract"};
};

/// x · y, same shape. Both may be one edge: a square.
struct Multiply {
  static constexpr Traits traits{.name = "multiply"};
};

/// factor · x.
struct Times {
  static constexpr Traits traits{.name = "times"};
  double factor = 1;
  std::string text() const { return formatted("times {}", factor); }
};

/// The same elements in the type of the output's edge.
struct Cast {
  static constexpr Traits traits{.name = "cast"};
};

enum class Curve : unsigned char {
  sigmoid,       ///< 1 / (1 + exp(-x))
  hard_sigmoid,  ///< min(max(x + 3, 0), 6) / 6; slope 0 at -3 and 3
  hard_swish     ///< x · hard_sigmoid(x); slope 0 at -3 and 1 at 3
};

/// A curve, element by element.
struct Activation {
  static constexpr Traits traits{.name = "activation"};
  Curve curve = Curve::sigmoid;
  std::string text() const {
    return curve == Curve::sigmoid ? "sigmoid" : curve == Curve::hard_sigmoid ? "hard sigmoid" : "hard swish";
  }
};

/// x where x > 0, a · x elsewhere (He et al., 2015). Parameter: weight [1] or [C], the a of all or of each channel.
struct PRelu {
  static constexpr Traits traits{.name = "prelu"};
  int weights = 1;
};

/// Sets elements, or with `spatial` whole channels of a row, to zero with probability p and multiplies the others by
/// 1 / (1 - p) (Srivastava et al., 2014). Only in training, and not where the step's context switches noise off. The
/// mask is DropoutMask of the step; element i is the i-th in plain order [n, C, h, w], or [n, C] with `spatial`.
struct Dropout {
  static constexpr Traits traits{.name = "dropout"};
  double p = 0.5;
  bool spatial = false;
  std::uint64_t stream = 0;  ///< hash of the name; set by the recorder
  std::string text() const { return formatted("{}dropout {}", spatial ? "spatial " : "", p); }
};

/// The same logits for every row: the fixed and the equal-weight gates of the analysis. Input: any [n, …], of which only
/// the row count matters. Output: [n, N], zeros.
struct ConstantScores {
  static constexpr Traits traits{.name = "constant scores", .carries_gradient = false, .full_precision = true};
  int expert = -1;  ///< ≥ 0: the only one; the others have logits of minus infinity
};

/// Normal random logits, new ones in every step, in evaluation too: the random gate. They are so small that a softmax
/// gives all of them the same weight, to the last bit of a double: they say who is chosen, and nothing else. Input: any
/// [n, …], of which only the row count matters. Output: [n, N]; row r and expert e have the number r · N + e of the stream
/// (seed, random_gate, stream + step), times `scale`. Carries no gradient.
struct RandomScores {
  static constexpr Traits traits{.name = "random scores", .carries_gradient = false, .full_precision = true};
  static constexpr double scale = 0x1p-80;  // a float has it, too
  std::uint64_t stream = 0;                 ///< hash of the name; set by the recorder
};

}  // namespace moecnn::ops
