#pragma once
#include "moecnn/core/extent.hpp"
#include "moecnn/ops/traits.hpp"

namespace moecnn::ops {

/// y = x Wᵀ + b. Input: [n, in] (height = width = 1). Parameters: weight [out, in], and with `bias` bias [out].
struct Linear {
  static constexpr Traits traits{.name = "linear", .low_weights = true};
  int in = 0, out = 0;
  bool bias = true;
  long long macs(Extent, Extent) const { return 1LL * in * out; }
};

}  // namespace moecnn::ops
