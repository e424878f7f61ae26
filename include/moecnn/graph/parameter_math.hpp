#pragma once
/// \file
/// Passes over all parameters of a network, which optimisers ask a backend for.

#include "moecnn/core/dtype.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace moecnn {

/// One update of parameters p from gradients g, element by element.
struct UpdateRule {
  enum class Kind : unsigned char {
    sgd,  ///< d = g + weight_decay · p;  b ← beta1 · b + d;  p ← p - lr · b, with Nesterov p - lr · (d + beta1 · b)
    adam  ///< Kingma and Ba, 2015; `decoupled`: weight decay as in AdamW (Loshchilov and Hutter, 2019)
  };
  Kind kind = Kind::sgd;
  double lr = 0;
  double beta1 = 0;  ///< sgd: momentum
  double beta2 = 0, eps = 0;
  double weight_decay = 0;
  bool nesterov = false;
  bool decoupled = false;
  std::int64_t step = 1;  ///< adam: the number of this update, from 1
};

/// Stretches of parameters in the backend's memory, all of `n` elements of one type.
struct UpdateSpan {
  DType dtype = DType::f32;
  std::size_t n = 0;
  std::byte *values = nullptr, *gradients = nullptr;
  std::array<std::byte*, 2> moments{};  ///< null where the rule has none
};

/// All results are bit-identical for any number of threads.
class ParameterMath {
 public:
  virtual ~ParameterMath() = default;
  virtual void update(const UpdateRule& rule, const UpdateSpan& span) = 0;
  /// Σ x², in double.
  virtual double sum_of_squares(const std::byte* x, std::size_t n, DType dtype) = 0;
  virtual void scale(std::byte* x, std::size_t n, DType dtype, double factor) = 0;
  /// y ← y + factor · x.
  virtual void add(std::byte* y, const std::byte* x, std::size_t n, DType dtype, double factor) = 0;
  virtual bool all_finite(const std::byte* x, std::size_t n, DType dtype) = 0;
};

}  // namespace moecnn
