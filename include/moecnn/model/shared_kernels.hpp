#pragma once
/// \file
/// Backends whose kernels are compiled once for a program of several files, or of many. Every file includes this in the
/// place of a backend's header and of default.hpp, and one file holds what all of them use:
///
///     #define MOECNN_HOLDS_KERNELS
///     #include <moecnn/model/shared_kernels.hpp>
///
/// The files must be compiled with the same options of the target, such as -march. Together with AnyNet even models and
/// trainers can be compiled once; examples/segmentation shows it.

#include "moecnn/backend/default.hpp"
#include "moecnn/backend/reference.hpp"
#include "moecnn/core/shared_template.hpp"
#include "moecnn/model/program.hpp"

/// \cond
namespace moecnn {

#ifdef MOECNN_HAS_ONEDNN
MOECNN_SHARED class onednn::Lowering<16>;
#ifndef __AVX512F__
MOECNN_SHARED class onednn::Lowering<8>;
#endif
MOECNN_SHARED class Program<backend::OneDnn>;
#endif
MOECNN_SHARED std::unique_ptr<Kernel<float>> reference::make_kernel<float>(const Graph&, const Flow&, int);
MOECNN_SHARED class Program<backend::Reference<float>>;

}  // namespace moecnn
/// \endcond
