// The oneDNN kernels, compiled once for all tests.
#if defined(MOECNN_HAS_ONEDNN)
#include "moecnn/backend/onednn.hpp"

template class moecnn::onednn::Lowering<8>;
template class moecnn::onednn::Lowering<16>;
#endif
