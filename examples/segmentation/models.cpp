// Models of any network, for all units of the program.
#include "backends.hpp"

#ifdef MOECNN_HAS_ONEDNN
template class moecnn::Model<moecnn::AnyNet, moecnn::backend::OneDnn>;
#endif
template class moecnn::Model<moecnn::AnyNet, moecnn::backend::Reference<float>>;
