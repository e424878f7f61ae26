#pragma once
/// \file
/// Boxes and the objects in a picture.

#include <algorithm>
#include <cstdint>

/// Boxes, anchors and the metric of object detection: host code that knows no graph.
namespace moecnn::detection {

/// Corners in pixels; x to the right, y down. A pixel is a square of side 1, so a box over the whole picture is
/// {0, 0, width, height}.
struct Box {
  float x1 = 0, y1 = 0, x2 = 0, y2 = 0;

  float width() const { return x2 - x1; }
  float height() const { return y2 - y1; }
  float area() const { return width() * height(); }
  bool operator==(const Box&) const = default;
};

/// A box that someone has drawn around an object.
struct Object {
  Box box;
  int label = 0;       ///< class, from 0 without gaps
  bool crowd = false;  ///< one box around many objects of the class
  double area = 0;     ///< as the annotation says, of the object's outline; the metric's sizes go by it
};

/// A box that a detector has found.
struct Detection {
  Box box;
  int label = 0;
  float score = 0;
  int anchor = -1;  ///< the anchor that it comes from, where that is known
  int level = -1;   ///< the level of this anchor: 3 for P3
};

}  // namespace moecnn::detection
