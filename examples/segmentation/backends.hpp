#pragma once
/// The backends, whose kernels are compiled once: in onednn.cpp and reference.cpp.

#include <moecnn/backend/default.hpp>
#include <moecnn/backend/reference.hpp>
#include <moecnn/model/any_net.hpp>
#include <moecnn/model/model.hpp>

namespace moecnn {
#ifdef MOECNN_HAS_ONEDNN
extern template class onednn::Lowering<8>;
extern template class onednn::Lowering<16>;
extern template class Program<backend::OneDnn>;
extern template class Model<AnyNet, backend::OneDnn>;
#endif
extern template std::unique_ptr<Kernel<float>> reference::make_kernel<float>(const Graph&, const Flow&, int);
extern template class Program<backend::Reference<float>>;
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
