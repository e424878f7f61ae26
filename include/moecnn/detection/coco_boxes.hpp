#pragma once
/// \file
/// Boxes as COCO's files hold them, in double: corners in float would lose digits that the metric sees.

#include "moecnn/core/separate_rounding.hpp"
#include "moecnn/detection/box.hpp"

namespace moecnn::detection {

/// Left upper corner and size in pixels.
struct CocoBox {
  double x = 0, y = 0, w = 0, h = 0;

  /// Size by subtraction in float, as the usual programs write it to their results.
  static CocoBox from(const Box& b) { return {b.x1, b.y1, b.width(), b.height()}; }
  double area() const { return w * h; }
};

/// An annotation. Images and categories by their ids.
struct CocoTruth {
  std::int64_t image = 0, category = 0;
  CocoBox box{};
  double area = 0;  ///< of the outline; the sizes of the metric go by it
  bool crowd = false;
  std::int64_t id = 1;  ///< pycocotools takes a detection that found the annotation 0 for one that found nothing
};

/// A result.
struct CocoDetection {
  std::int64_t image = 0, category = 0;
  CocoBox box{};
  double score = 0;
};

/// What part of the union two boxes share; if the truth is a crowd, what part of the detection lies in it. In pycocotools'
/// steps: equal to the last bit.
MOECNN_SEPARATE_ROUNDING inline double coco_iou(const CocoBox& detection, const CocoBox& truth, bool crowd) {
  const double right_d = detection.x + detection.w, right_t = truth.x + truth.w;
  const double right = right_d < right_t ? right_d : right_t, left = detection.x > truth.x ? detection.x : truth.x;
  const double w = right - left;
  if (w <= 0) return 0;
  const double bottom_d = detection.y + detection.h, bottom_t = truth.y + truth.h;
  const double bottom = bottom_d < bottom_t ? bottom_d : bottom_t, top = detection.y > truth.y ? detection.y : truth.y;
  const double h = bottom - top;
  if (h <= 0) return 0;
  const double both = w * h, area = detection.w * detection.h;
  if (crowd) return both / area;
  const double other = truth.w * truth.h;
  const double sum = area + other;
  return both / (sum - both);
}

}  // namespace moecnn::detection
