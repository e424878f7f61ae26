#pragma once
#include "moecnn/core/extent.hpp"
#include "moecnn/ops/traits.hpp"

namespace moecnn::ops {

enum class Sampling : unsigned char { bilinear, nearest };

/// The map at another size; core/sampling.hpp defines the pixels that it reads. [n, C, h, w] → [n, C, size].
struct Resize {
  static constexpr Traits traits{.name = "resize"};
  Sampling mode = Sampling::bilinear;
  bool align_corners = false;  ///< bilinear only
  Size2 size = 1;              ///< set by the recorder's verb
  Extent output(Extent x) const { return {x.n, size.h, size.w}; }
  std::string text() const { return mode == Sampling::nearest ? "resize, nearest" : "resize, bilinear"; }
};

/// The pixels from (top, left) on, as many as `size` says; what lies outside the map is zero. Crops, pads or both.
struct Window {
  static constexpr Traits traits{.name = "window"};
  int top = 0, left = 0;  ///< negative: that many rows or columns of zeros first
  Size2 size = 1;
  Extent output(Extent x) const { return {x.n, size.h, size.w}; }
};

}  // namespace moecnn::ops
