#pragma once
/// The backends and models of any network on them. Kernels are compiled once, in examples/kernels, and models
/// in models.cpp.

#include "../common/with_backend.hpp"

#include <moecnn/model/any_net.hpp>
#include <moecnn/model/model.hpp>

namespace moecnn {
#ifdef MOECNN_HAS_ONEDNN
extern template class Model<AnyNet, backend::OneDnn>;
#endif
extern template class Model<AnyNet, backend::Reference<float>>;
}  // namespace moecnn
