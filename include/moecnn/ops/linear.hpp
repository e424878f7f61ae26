#pragma once
namespace moecnn::ops {

/// y = x Wᵀ + b. Input: [n, in] (height = width = 1). Parameters: weight [out, in], and with `bias` bias [out].
struct Linear {
  int in = 0, out = 0;
  bool bias = true;
};

}  // namespace moecnn::ops
