#pragma once
#include "moecnn/core/extent.hpp"
#include "moecnn/ops/traits.hpp"

namespace moecnn::ops {

/// A user's own operation: which one is the graph's to say, in Graph::custom. See CustomOp (graph/custom.hpp), which also
/// answers what is copied here when it is recorded.
struct Custom {
  int id = -1;
  long long row_macs = 0;
  Traits traits{.name = "custom"};

  long long macs(Extent, Extent) const { return row_macs; }
};

}  // namespace moecnn::ops
