#pragma once
/// \file
/// How a map is cut into patches: the one place for the geometry, shared by operations, layers and analysis.

#include "moecnn/core/error.hpp"
#include "moecnn/core/extent.hpp"
#include "moecnn/core/size2.hpp"

namespace moecnn {

/// A map of H × W pixels in patches of ph × pw that do not overlap, in row order. Those of the last row and column may
/// stick out of the map, but each holds at least one of its pixels. With a halo a patch also sees that many pixels of
/// its neighbours on each side. Beyond the map everything is zero.
struct PatchGrid {
  Size2 map = 1, patch = 1, halo = 0;

  /// `grid` patches along each axis, of ceil(H / grid) pixels. Where fewer patches of that size cover the map (5 pixels
  /// in 4 patches of 2: three are enough), there are fewer: no patch lies outside the map.
  static PatchGrid of_count(Size2 map, Size2 grid, Size2 halo = 0) {
    check(grid.h >= 1 && grid.w >= 1 && grid.h <= map.h && grid.w <= map.w,
          "a map of {}x{} pixels cannot be cut into {}x{} patches; choose 1 up to one patch per pixel", map.h, map.w,
          grid.h, grid.w);
    return of_size(map, {pieces(map.h, grid.h), pieces(map.w, grid.w)}, halo);
  }
  /// Patches of a given size; one larger than the map is the map itself with zeros around.
  static PatchGrid of_size(Size2 map, Size2 patch, Size2 halo = 0) {
    check(map.h >= 1 && map.w >= 1 && patch.h >= 1 && patch.w >= 1 && halo.h >= 0 && halo.w >= 0,
          "patches of {}x{} with a halo of {}x{} on a map of {}x{} are impossible; sizes are at least 1, a halo at "
          "least 0",
          patch.h, patch.w, halo.h, halo.w, map.h, map.w);
    return {map, patch, halo};
  }

  int rows() const { return pieces(map.h, patch.h); }
  int columns() const { return pieces(map.w, patch.w); }
  /// Patches per map.
  int count() const { return rows() * columns(); }
  /// Pixels of a patch with its halo.
  Size2 haloed() const { return {patch.h + 2 * halo.h, patch.w + 2 * halo.w}; }
  /// First pixel of patch i of a map, without the halo.
  Size2 origin(int i) const { return {i / columns() * patch.h, i % columns() * patch.w}; }
  /// Pixels of patch i that lie in the map, without the halo.
  Size2 inside(int i) const {
    const Size2 at = origin(i);
    return {at.h + patch.h < map.h ? patch.h : map.h - at.h, at.w + patch.w < map.w ? patch.w : map.w - at.w};
  }
  /// The patch, of its map, that holds a pixel.
  int of_pixel(int y, int x) const { return y / patch.h * columns() + x / patch.w; }

  friend bool operator==(const PatchGrid&, const PatchGrid&) = default;
};

}  // namespace moecnn
