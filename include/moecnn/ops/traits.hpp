#pragma once
/// \file
/// Properties of operations. Each struct of ops/ states its own as `static constexpr Traits traits`, so that no pass keeps a
/// list of operations. Besides, a struct may have
///  - `std::string text() const`: its name with its settings for tables, "conv 3×3 /2";
///  - `long long macs(Extent in, Extent out) const`: multiply-accumulates of one row, for operations where these are
///    usually counted.

#include "moecnn/core/format.hpp"
#include "moecnn/core/size2.hpp"

namespace moecnn::ops {

struct Traits {
  const char* name;  ///< in tables and messages
  /// False: no gradient passes, whatever lies behind it.
  bool carries_gradient = true;
  /// It reads and writes values of the backend's own type, whatever the model's precision: it decides, sums up over classes,
  /// or only hands data in.
  bool full_precision = false;
  /// Its result must be exact: indices, which keep their type.
  bool exact_output = false;
  /// Its first parameter, the weights, is read in the lower precision; all others are not: biases, norms, slopes.
  bool low_weights = false;
  /// Gradients begin at it, its output is a LossResult, and it has a member `factor`.
  bool is_loss = false;
};

/// "3×3 /2"
inline std::string window_text(Size2 kernel, Size2 stride) {
  std::string text = formatted("{}×{}", kernel.h, kernel.w);
  if (stride.h == stride.w && stride.h != 1) text += formatted(" /{}", stride.h);
  if (stride.h != stride.w) text += formatted(" /{}×{}", stride.h, stride.w);
  return text;
}
/// The operations that a pass has fused into another.
inline std::string fused_text(bool residual, bool relu) {
  return std::string(residual ? " + add" : "") + (relu ? " + relu" : "");
}

}  // namespace moecnn::ops
