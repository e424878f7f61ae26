#pragma once
/// \file
/// The best backend that this program was compiled for: oneDNN where CMake found it, else the reference.

#ifdef MOECNN_HAS_ONEDNN
#include "moecnn/backend/onednn.hpp"
#else
#include "moecnn/backend/reference.hpp"
#endif

namespace moecnn::backend {

#ifdef MOECNN_HAS_ONEDNN
using Default = OneDnn;
#else
using Default = Reference<float>;
#endif

}  // namespace moecnn::backend
