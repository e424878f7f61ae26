#pragma once
#include "moecnn/backend/host/kernels.hpp"

namespace moecnn::reference {

using host::Chunk;
using host::chunk;
using host::deliver_all;
using host::exp_of;
using host::in_chunks;
using host::NodeKernel;

/// Which kernel computes an operation: one of this folder, whose header says so at its end, or else one of those that all
/// CPU backends share.
template <class T, class Op>
struct KernelFor : host::KernelFor<T, Op> {};

}  // namespace moecnn::reference
