// Models and programs on the reference backend, and its kernels.
#include "backends.hpp"

template std::unique_ptr<moecnn::Kernel<float>> moecnn::reference::make_kernel<float>(const Graph&, const Flow&, int);
template class moecnn::Program<moecnn::backend::Reference<float>>;
template class moecnn::Model<moecnn::AnyNet, moecnn::backend::Reference<float>>;
