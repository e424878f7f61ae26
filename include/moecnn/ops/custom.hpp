#pragma once
namespace moecnn::ops {

/// A user's own operation: which one is the graph's to say, in Graph::custom. See CustomOp (graph/custom.hpp), which also
/// answers what is copied here when it is recorded.
struct Custom {
  int id = -1;
  long long macs = 0;  ///< multiply-accumulates of one row
  bool carries_gradient = true;
  bool full_precision = false;
};

}  // namespace moecnn::ops
