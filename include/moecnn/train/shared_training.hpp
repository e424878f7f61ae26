#pragma once
/// \file
/// Beside the backends, what a trainer needs that does not depend on the network, compiled once for a program of several
/// files: parameters, checkpoints, weights in files. model/shared_kernels.hpp says how. moecnn/moecnn.hpp includes this
/// where MOECNN_SHARED_KERNELS is defined, as CMake's moecnn_add_kernels() does.

#include "moecnn/core/shared_template.hpp"
#include "moecnn/model/fold.hpp"
#include "moecnn/model/shared_kernels.hpp"
#include "moecnn/train/checkpoint.hpp"

/// \cond
namespace moecnn {

MOECNN_SHARED class ParamStore<float>;
MOECNN_SHARED class FoldedParams<float>;
MOECNN_SHARED class Optimizer<float>;
MOECNN_SHARED void save_weights<float>(ParamStore<float>&, const std::filesystem::path&);
MOECNN_SHARED void load_weights<float>(ParamStore<float>&, const std::filesystem::path&);
MOECNN_SHARED void save_checkpoint<float>(const std::filesystem::path&, ParamStore<float>&, const Optimizer<float>&,
                                          const RunState&, bool);
MOECNN_SHARED void load_checkpoint<float>(const std::filesystem::path&, ParamStore<float>&, Optimizer<float>&,
                                          RunState&);

}  // namespace moecnn
/// \endcond
