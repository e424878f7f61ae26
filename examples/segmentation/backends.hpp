#pragma once
/// The backends and models of any network on them. Kernels are compiled once, in examples/kernels, and models
/// in models.cpp.

#include <moecnn/model/any_net.hpp>
#include <moecnn/model/model.hpp>
#include <moecnn/model/shared_kernels.hpp>

namespace moecnn {
#ifdef MOECNN_HAS_ONEDNN
extern template class Model<AnyNet, backend::OneDnn>;
#endif
extern template class Model<AnyNet, backend::Reference<float>>;
}  // namespace moecnn

namespace segmentation {

using namespace moecnn;

/// Calls `work(backend)` with the backend of that name: "auto", "onednn" or "reference".
template <class F>
int with_backend(const std::string& name, const F& work) {
#ifdef MOECNN_HAS_ONEDNN
  if (name != "reference") return work(backend::OneDnn{});
#else
  check(name != "onednn",
        "this program was compiled without oneDNN; install libdnnl-dev and build again, or use --backend reference");
#endif
  return work(backend::Reference<float>{});
}

}  // namespace segmentation
