#pragma once
#include "moecnn/backend/host/node_kernel.hpp"

namespace moecnn::host {

/// Which kernel of this folder computes an operation: its member `type`. The header of a kernel says so at its end.
template <class T, class Op>
struct KernelFor;

}  // namespace moecnn::host
