#pragma once
/// The oneDNN backend for tests: its kernels are compiled once, in onednn_kernels.cpp.

#if defined(MOECNN_HAS_ONEDNN)
#include "moecnn/backend/onednn.hpp"

extern template class moecnn::onednn::Lowering<8>;
extern template class moecnn::onednn::Lowering<16>;
#endif
