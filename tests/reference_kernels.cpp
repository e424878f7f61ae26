// The reference backend's kernels, compiled once for all test programs: check_layer.hpp says `extern template`.
#include "moecnn/backend/reference.hpp"

template std::unique_ptr<moecnn::Kernel<float>> moecnn::reference::make_kernel<float>(const Graph&, const Flow&, int);
template std::unique_ptr<moecnn::Kernel<double>> moecnn::reference::make_kernel<double>(const Graph&, const Flow&, int);
