// oneDNN's kernels for CPUs with blocks of 16 channels.
#ifdef MOECNN_HAS_ONEDNN
#include <moecnn/backend/onednn.hpp>

template class moecnn::onednn::Lowering<16>;
#endif
