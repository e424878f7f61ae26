#pragma once
#include "moecnn/core/patch_grid.hpp"
#include "moecnn/ops/traits.hpp"

namespace moecnn::ops {

/// Cuts maps into patches with their halos. [B, C, H, W] → [B · p, C, ph + 2 halo.h, pw + 2 halo.w], in the order map,
/// patch row, patch column; zero beyond the map.
struct ToPatches {
  static constexpr Traits traits{.name = "to patches"};
  PatchGrid grid;
  Extent output(Extent x) const { return {x.n * grid.count(), grid.haloed().h, grid.haloed().w}; }
  std::string text() const { return formatted("to patches {}×{}", grid.rows(), grid.columns()); }
};

/// Puts patches without halos together again. [B · p, C, ph, pw] → [B, C, H, W]; what sticks out of the map is dropped.
struct FromPatches {
  static constexpr Traits traits{.name = "from patches"};
  PatchGrid grid;
  Extent output(Extent x) const { return {x.n / grid.count(), grid.map.h, grid.map.w}; }
};

}  // namespace moecnn::ops
