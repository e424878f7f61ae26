// Models and programs on oneDNN.
#include "backends.hpp"

#ifdef MOECNN_HAS_ONEDNN
template class moecnn::Program<moecnn::backend::OneDnn>;
template class moecnn::Model<moecnn::AnyNet, moecnn::backend::OneDnn>;
#endif
