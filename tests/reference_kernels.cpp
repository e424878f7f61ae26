// The reference backend's kernels of double, compiled once for all test programs: graph_runs.hpp says `extern template`.
#include "moecnn/backend/reference.hpp"

template std::unique_ptr<moecnn::Kernel<double>> moecnn::reference::make_kernel<double>(const Graph&, const Flow&, int);
