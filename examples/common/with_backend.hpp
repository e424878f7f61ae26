#pragma once
/// The choice of the backend by its name, at run time.

#include <moecnn/core/error.hpp>
#include <moecnn/model/shared_kernels.hpp>

#include <string>

/// Calls `work(backend)` with the backend of that name: "auto", "onednn" or "reference".
template <class F>
int with_backend(const std::string& name, const F& work) {
#ifdef MOECNN_HAS_ONEDNN
  if (name != "reference") return work(moecnn::backend::OneDnn{});
#else
  moecnn::check(name != "onednn",
                "this program was compiled without oneDNN; install libdnnl-dev and build again, or use --backend "
                "reference");
#endif
  return work(moecnn::backend::Reference<float>{});
}

/// The backend that `name` stands for on this machine: "auto" is one of the two others.
inline std::string backend_name(const std::string& name) {
  std::string found;
  with_backend(name, [&](auto backend) { return found = decltype(backend)::name, 0; });
  return found;
}
