#pragma once
/// \file
/// Intersection over union of two boxes, in the steps of PyTorch programs, so that decisions that hang on it are theirs.

#include "moecnn/core/separate_rounding.hpp"
#include "moecnn/detection/box.hpp"

namespace moecnn::detection {

/// In float; 0 for boxes that do not overlap, and for boxes of no size.
MOECNN_SEPARATE_ROUNDING inline float iou(const Box& a, const Box& b) {
  const float right = a.x2 < b.x2 ? a.x2 : b.x2, left = a.x1 > b.x1 ? a.x1 : b.x1;
  const float bottom = a.y2 < b.y2 ? a.y2 : b.y2, top = a.y1 > b.y1 ? a.y1 : b.y1;
  const float w = right - left, h = bottom - top;
  if (!(w > 0 && h > 0)) return 0;
  const float both = w * h;
  const float area_a = a.area(), area_b = b.area();
  const float sum = area_a + area_b;
  const float share = both / (sum - both);
  return share > 0 ? share : 0;  // not NaN
}

}  // namespace moecnn::detection
