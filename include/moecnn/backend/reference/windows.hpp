#pragma once
#include "moecnn/core/extent.hpp"
#include "moecnn/core/size2.hpp"

#include <algorithm>

namespace moecnn::reference {

/// The windows of maps as the columns of a matrix [channels/groups · kh · kw, rows · positions], one group and a handful
/// of rows at a time ("im2col"), and the way back.
struct Windows {
  int channels = 0, groups = 1;
  Size2 kernel = 1, stride = 1, pad = 0, dilation = 1;
  Extent map, positions;  ///< sizes of the map and of what a convolution makes of it

  int per_group() const { return channels / groups; }
  /// Rows of the matrix.
  int size() const { return per_group() * kernel.h * kernel.w; }

  /// Reads `rows` rows of maps from row `first` on; padding is zero.
  template <class T>
  void unfold(const T* maps, int first, int rows, int group, T* windows) const {
    for_each_line(maps, first, rows, group, windows, [&](T* to, const T* from, Span s) {
      std::fill(to, to + s.first, T(0));
      for (int ow = s.first; ow < s.last; ++ow) to[ow] = from[ow * stride.w];
      std::fill(to + std::max(s.first, s.last), to + positions.w, T(0));
    });
  }
  /// Adds every element of the windows to where it came from.
  template <class T>
  void fold(const T* windows, int first, int rows, int group, T* maps) const {
    for_each_line(maps, first, rows, group, windows, [&](const T* from, T* to, Span s) {
      for (int ow = s.first; ow < s.last; ++ow) to[ow * stride.w] += from[ow];
    });
  }

 private:
  /// Positions [first, last) along one axis whose tap lies inside the map and not in the padding.
  struct Span {
    int first, last;
  };
  static Span inside(int out, int in, int stride, int offset) {
    const auto first_from = [&](int bound) { return std::clamp((bound - offset + stride - 1) / stride, 0, out); };
    return {offset < 0 ? first_from(0) : 0, in > offset ? first_from(in) : 0};
  }

  /// Calls `visit(line of windows, line of map, columns)` for every line of positions that the taps of `rows` read:
  /// windows[ow] belongs to map[ow · stride] for ow in `columns`, and to padding elsewhere.
  template <class Map, class Window, class F>
  void for_each_line(Map* maps, int first, int rows, int group, Window* windows, const F& visit) const {
    for (int c = 0; c < per_group(); ++c)
      for (int kh = 0; kh < kernel.h; ++kh)
        for (int kw = 0; kw < kernel.w; ++kw) {
          const int up = kh * dilation.h - pad.h, left = kw * dilation.w - pad.w;
          const Span lines = inside(positions.h, map.h, stride.h, up);
          const Span columns = inside(positions.w, map.w, stride.w, left);
          for (int r = 0; r < rows; ++r) {
            Map* plane = maps + (1LL * (first + r) * channels + group * per_group() + c) * map.pixels();
            for (int oh = 0; oh < positions.h; ++oh, windows += positions.w) {
              const bool hit = lines.first <= oh && oh < lines.last;
              visit(windows, plane + (oh * stride.h + up) * map.w + left, hit ? columns : Span{0, 0});
            }
          }
        }
  }
};

}  // namespace moecnn::reference
