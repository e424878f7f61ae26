#pragma once
#include "moecnn/backend/onednn/lanes.hpp"

namespace moecnn::onednn {

/// Additions of own loops to the sums of a convolution, and the place of the result. Maps of one block of channels.
struct ConvEnd {
  const float* bias = nullptr;  ///< B numbers; null: none
  const float* add = nullptr;   ///< a map of the result's shape, perhaps the result itself; null: none
  bool relu = false;
  float* result = nullptr;

  /// The sum at number `o` of the map, to which the bias has been added.
  template <int B>
  void store(long long o, Lanes<B>& sum) const {
    if (add) sum += lanes<B>(add + o).v;
    if (relu) sum = sum < Lanes<B>{} ? Lanes<B>{} : sum;
    lanes<B>(result + o).v = sum;
  }
};

}  // namespace moecnn::onednn
